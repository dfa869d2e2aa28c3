"""Putting a graph inside another one: its names out of the way, its integers as wide as the server's."""

from __future__ import annotations

import onnx
from onnx import TensorProto

from ostinato_models.adoption.onnx_file import OnnxFile, inner_graphs
from ostinato_models.export.graph_builder import GraphBuilder, Name
from ostinato_models.export.signatures import Signature

PREFIX = "given/"
"""What the names of the inner graph start with; this project's own start with a lower-case word and no slash."""


def include(graph: GraphBuilder, model: onnx.ModelProto, inputs: dict[Name, Name]) -> None:
    """Add a model to a graph under construction; its values are then called `PREFIX` and their name.

    Args:
        graph: where its nodes go.
        model: the model; it is not changed.
        inputs: the value that each of its inputs is to read, of the type it wants.
    """
    inner = onnx.ModelProto()
    inner.CopyFrom(model)
    _prefix_names(inner.graph)
    for name, value in inputs.items():
        graph.rename(graph.op("Identity", value), PREFIX + name)
    graph.include(inner)


def narrowed(graph: GraphBuilder, value: Name, data_type: str) -> Name:
    """An int64 value as the inner graph wants it."""
    return graph.op("Cast", value, to=TensorProto.INT32) if data_type == "int32" else value


def with_wide_integers(file: OnnxFile, signature: Signature) -> onnx.ModelProto:
    """A step of the contract with int64 integers; the file's own model where it has them already."""
    ports = {port.name: port for port in (*file.inputs, *file.outputs)}
    if all(port.data_type != "int32" for port in ports.values()):
        return file.model
    graph = GraphBuilder("fp32")
    names = [tensor.name for tensor in signature.inputs]
    include(graph, file.model, {name: narrowed(graph, name, ports[name].data_type) for name in names})
    for tensor in signature.outputs:
        kind = TensorProto.INT64 if tensor.data_type == "int64" else TensorProto.FLOAT
        graph.rename(graph.op("Cast", PREFIX + tensor.name, to=kind), tensor.name)
    description = "A step with 64-bit integers around one with 32-bit integers."
    return graph.build("step", description, signature.inputs, signature.outputs)


def _prefix_names(graph: onnx.GraphProto) -> None:
    """Rename every value of a graph and of the graphs inside it, which may use each other's."""
    for port in (*graph.input, *graph.output):
        port.name = PREFIX + port.name
    for tensor in graph.initializer:
        tensor.name = PREFIX + tensor.name
    for node in graph.node:
        node.ClearField("doc_string")  # exporters leave lines of the owner's source and its folders here
        del node.metadata_props[:]
        for names in (node.input, node.output):
            names[:] = [PREFIX + name if name else "" for name in names]
        for inner in inner_graphs(node):
            _prefix_names(inner)
    del graph.value_info[:]
