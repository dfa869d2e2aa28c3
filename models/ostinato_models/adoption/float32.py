"""An ONNX model that computes in float16 as one that computes in float32.

ONNX Runtime has no float16 kernels of LSTM and GRU on the CPU, and some of its versions end the process while they
optimise a graph of them. The weights stay float16 in the file and are cast when it is opened.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_TYPE_ATTRIBUTES = frozenset({"to", "dtype", "output_dtype", "stash_type"})
_HALF = "/float16"
"""What the names of weights end with that are cast."""


def has_weights_in(model: onnx.ModelProto, kind: int) -> bool:
    """Whether weights are of an element type; those that are cast at once, and single numbers, do not count."""
    return _holds(model.graph, kind) or any(_holds(function, kind) for function in model.functions)


def computes_in_float16(model: onnx.ModelProto) -> bool:
    """Whether any value is float16, but for weights that are cast at once."""
    if has_weights_in(model, TensorProto.FLOAT16):
        return True
    if TensorProto.FLOAT16 in {value.type.tensor_type.elem_type for value in _values(model.graph)}:
        return True
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    return any(_casts_to_float16(node) for node in nodes)


def in_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that takes, computes and gives float32 wherever the model has float16."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in _values(copy.graph):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    _widen_graph(copy.graph)
    for function in copy.functions:
        for node in function.node:
            _widen_node(node)
    return copy


def _holds(body: onnx.GraphProto | onnx.FunctionProto, kind: int) -> bool:
    weights = {tensor.name for tensor in getattr(body, "initializer", ()) if tensor.data_type == kind and tensor.dims}
    for node in body.node:
        if node.op_type != "Cast" and weights & set(node.input):
            return True
        for attribute in node.attribute:
            if attribute.t.data_type == kind and attribute.t.dims:
                return True
            if attribute.HasField("g") and _holds(attribute.g, kind):
                return True
    return False


def _casts_to_float16(node: onnx.NodeProto) -> bool:
    return any(
        (attribute.name in _TYPE_ATTRIBUTES and attribute.i == TensorProto.FLOAT16)
        or (attribute.HasField("g") and any(_casts_to_float16(inner) for inner in attribute.g.node))
        for attribute in node.attribute
    )


def _values(graph: onnx.GraphProto) -> Iterator[onnx.ValueInfoProto]:
    """Everything whose type is declared, in a graph and the graphs inside it."""
    yield from (*graph.input, *graph.output, *graph.value_info)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _values(attribute.g)


def _widen_graph(graph: onnx.GraphProto) -> None:
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16:
            casts.append(helper.make_node("Cast", [tensor.name + _HALF], [tensor.name], to=TensorProto.FLOAT))
            tensor.name += _HALF
    cast = {node.output[0] for node in casts}
    declared = [value for value in graph.input if value.name not in cast]  # older files declare weights as inputs too
    del graph.input[:]
    graph.input.extend(declared)
    nodes = list(graph.node)
    for node in nodes:
        _widen_node(node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])


def _widen_node(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.name in _TYPE_ATTRIBUTES and attribute.i == TensorProto.FLOAT16:
            attribute.i = TensorProto.FLOAT
        if attribute.t.data_type == TensorProto.FLOAT16:
            values = numpy_helper.to_array(attribute.t).astype(np.float32)
            attribute.t.CopyFrom(numpy_helper.from_array(values, attribute.t.name))
        if attribute.HasField("g"):
            _widen_graph(attribute.g)
