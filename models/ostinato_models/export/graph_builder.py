"""Writing an ONNX graph by hand: one description of a network gives its fp32 and its int8 graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ostinato_bundle import Tensor
from ostinato_models.export.quantization import (
    ACTIVATION_ZERO_POINT,
    UNIT_SCALE,
    FloatArray,
    quantize_table,
    quantize_weight,
)

Precision: TypeAlias = Literal["fp32", "int8"]
Name: TypeAlias = str
"""Name of a value in a graph."""

OPSET, IR_VERSION = 17, 8
"""Read by every ONNX Runtime since 1.12."""

_ELEMENT_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
_ScanBody: TypeAlias = Callable[["GraphBuilder", list[Name], list[Name]], tuple[list[Name], list[Name]]]


@dataclass(frozen=True, slots=True)
class Operand:
    """A value on its way into a matrix product: a float, or a quantized one with its scale."""

    name: Name
    scale: float | None = None


class GraphBuilder:
    """Collects nodes and constants; every method that makes a node returns the name of its result.

    Args:
        precision: What `linear` and `embed` write.
        prefix: What its names start with; a body's must differ from those of the graph around it.
    """

    def __init__(self, precision: Precision, prefix: str = "") -> None:
        self.precision: Precision = precision
        self._prefix = prefix
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._constant_names: dict[tuple[str, tuple[int, ...], bytes], Name] = {}
        self._quantized: dict[Name, Operand] = {}
        self._final: dict[Name, Name] = {}
        self._included: onnx.ModelProto | None = None
        self._counter = 0

    def op(self, kind: str, *inputs: Name, domain: str = "", **attributes: Any) -> Name:
        """Add a node with one result."""
        return self.ops(kind, *inputs, count=1, domain=domain, **attributes)[0]

    def ops(self, kind: str, *inputs: Name, count: int, domain: str = "", **attributes: Any) -> list[Name]:
        """Add a node with `count` results."""
        outputs = [self._fresh(kind.lower()) for _ in range(count)]
        self._nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, **attributes))
        return outputs

    def constant(self, value: NDArray[Any], hint: str = "constant") -> Name:
        """Add a constant; an equal one is added once."""
        value = np.ascontiguousarray(value)
        key = (value.dtype.str, value.shape, value.tobytes())
        if key not in self._constant_names:
            name = self._fresh(hint)
            self._constants.append(numpy_helper.from_array(value, name))
            self._constant_names[key] = name
        return self._constant_names[key]

    def integers(self, *values: int) -> Name:
        """A constant int64 vector: a shape, axes or sizes."""
        return self.constant(np.array(values, np.int64), "sizes")

    def number(self, value: float) -> Name:
        """A constant float32 scalar."""
        return self.constant(np.array(value, np.float32), "number")

    def include(self, model: onnx.ModelProto) -> None:
        """Add another model's nodes, constants and functions as they are; the result declares its operator versions.

        What it reads must have been named so before, by `rename`; nothing may have a name that starts like this
        builder's own. One model may be included.
        """
        self._nodes.extend(model.graph.node)
        self._constants.extend(model.graph.initializer)
        self._included = model

    def rename(self, name: Name, final: Name) -> None:
        """Give a value the name that the outside knows it by; nothing is copied, unless it has one already."""
        if name in self._final:
            self._nodes.append(helper.make_node("Identity", [name], [final]))
        else:
            self._final[name] = final

    def bounded(self, name: Name) -> Operand:
        """Prepare a float whose values lie in [-1, 1] for a matrix product."""
        if self.precision == "fp32":
            return Operand(name)
        if name not in self._quantized:
            zero = self.constant(np.array(ACTIVATION_ZERO_POINT, np.uint8), "zero_point")
            quantized = self.op("QuantizeLinear", name, self.number(UNIT_SCALE), zero)
            self._quantized[name] = Operand(quantized, UNIT_SCALE)
        return self._quantized[name]

    def embed(self, table: FloatArray, tokens: Name) -> Operand:
        """Look rows of a table (V, E) up: tokens (…) to an operand (…, E)."""
        if self.precision == "fp32":
            return Operand(self.op("Gather", self.constant(table, "table"), tokens))
        quantized = quantize_table(table)
        return Operand(self.op("Gather", self.constant(quantized.values, "table"), tokens), quantized.scale)

    def linear(self, operand: Operand, weight: FloatArray, bias: FloatArray | None = None, plus: Name = "") -> Name:
        """``x · weightᵀ + bias + plus``.

        Args:
            operand: x, shape (M, K).
            weight: shape (N, K).
            bias: shape (N,).
            plus: a float value of the result's shape (M, N).

        Returns:
            A float value (M, N).
        """
        if operand.scale is None:
            product = self._float_product(operand.name, weight, bias, plus if bias is None else "")
            return self.op("Add", product, plus) if plus and bias is not None else product
        quantized = quantize_weight(weight)
        zero = self.constant(np.array(ACTIVATION_ZERO_POINT, np.uint8), "zero_point")
        product = self.op(
            "MatMulIntegerToFloat",
            operand.name,
            self.constant(np.ascontiguousarray(quantized.values.T), "weight"),
            self.number(operand.scale),
            self.constant(quantized.scale, "scale"),
            zero,
            self.constant(np.zeros(len(weight), np.int8), "zero_point"),
            *([] if bias is None else [self.constant(bias, "bias")]),
            domain="com.microsoft",
        )
        return self.op("Add", product, plus) if plus else product

    def float_linear(self, name: Name, weight: FloatArray, bias: FloatArray | None = None) -> Name:
        """As `linear`, in fp32 whatever the precision: for values without a bound, and for very small matrices."""
        return self._float_product(name, weight, bias, "")

    def _float_product(self, name: Name, weight: FloatArray, bias: FloatArray | None, plus: Name) -> Name:
        """Gemm rather than MatMul and Add: which of these ONNX Runtime would fuse depends on ranks, and sums differ."""
        matrix = self._float_matrix(np.ascontiguousarray(weight.T))
        addend = plus if bias is None else self.constant(bias, "bias")
        return self.op("Gemm", name, matrix, *([addend] if addend else []))

    def _float_matrix(self, matrix: FloatArray) -> Name:
        """In an int8 file the float matrices that remain are stored as fp16 where that is exact."""
        halves = matrix.astype(np.float16)
        if self.precision == "int8" and np.array_equal(halves.astype(np.float32), matrix):
            return self.op("Cast", self.constant(halves, "weight"), to=TensorProto.FLOAT)
        return self.constant(matrix, "weight")

    def scan(
        self,
        states: Sequence[Name],
        sequences: Sequence[Name],
        body: _ScanBody,
        *,
        outputs: int,
        types: Sequence[int],
        directions: Sequence[int] = (),
        output_directions: Sequence[int] = (),
    ) -> tuple[list[Name], list[Name]]:
        """Run a body along the first axis of some sequences.

        Args:
            states: what is carried from step to step, at the start; floats.
            sequences: values (T, …) that the body sees a slice (…) of.
            body: given a builder, the states and the slices, returns the new states and what to collect.
            outputs: how many values the body collects.
            types: element type of every sequence.
            directions: 1 for a sequence read from its end, else 0; all 0 by default.
            output_directions: 1 for a collected value laid down from the end, else 0.

        Returns:
            The states at the end, and the collected values (T, …).
        """
        inner = GraphBuilder(self.precision, self._fresh("body") + "_")
        inner_states = [f"{inner._prefix}carried_{index}" for index in range(len(states))]
        inner_slices = [f"{inner._prefix}slice_{index}" for index in range(len(sequences))]
        following, collected = body(inner, inner_states, inner_slices)
        declared = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inner_states]
        declared += [
            helper.make_tensor_value_info(name, kind, None) for name, kind in zip(inner_slices, types, strict=True)
        ]
        results = []
        for index, name in enumerate([*following, *collected]):
            result = f"{inner._prefix}result_{index}"
            inner.rename(name, result)
            results.append(helper.make_tensor_value_info(result, TensorProto.FLOAT, None))
        graph = helper.make_graph(inner._named(), "body", declared, results, inner._constants)
        order: dict[str, Any] = {}
        if directions:
            order["scan_input_directions"] = list(directions)
        if output_directions:
            order["scan_output_directions"] = list(output_directions)
        values = self.ops(
            "Scan",
            *states,
            *sequences,
            count=len(states) + outputs,
            body=graph,
            num_scan_inputs=len(sequences),
            **order,
        )
        return values[: len(states)], values[len(states) :]

    def build(
        self, name: str, description: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> onnx.ModelProto:
        """Close the graph and check it.

        Args:
            name: the graph's name.
            description: its doc string.
            inputs: what it takes; nodes refer to these names.
            outputs: what it gives; nodes made values of these names.
        """
        graph = helper.make_graph(
            self._named(),
            name,
            [_value_info(tensor) for tensor in inputs],
            [_value_info(tensor) for tensor in outputs],
            self._constants,
            doc_string=description,
        )
        versions, functions, ir_version = {"": OPSET, "com.microsoft": 1}, [], IR_VERSION
        if self._included is not None:
            versions |= {_short(entry.domain): entry.version for entry in self._included.opset_import}
            functions, ir_version = list(self._included.functions), max(IR_VERSION, self._included.ir_version)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(domain, version) for domain, version in versions.items()],
            functions=functions,
            ir_version=ir_version,
            producer_name="ostinato",
            doc_string=description,
        )
        onnx.checker.check_model(model)
        return model

    def _named(self) -> list[onnx.NodeProto]:
        """The nodes, with final names in place of the first ones."""
        for node in self._nodes:
            node.input[:] = [self._final.get(name, name) for name in node.input]
            node.output[:] = [self._final.get(name, name) for name in node.output]
        return self._nodes

    def _fresh(self, hint: str) -> Name:
        self._counter += 1
        return f"{self._prefix}{hint}_{self._counter}"


def _value_info(tensor: Tensor) -> onnx.ValueInfoProto:
    sizes = ["batch", *(f"{tensor.name}_{axis}" if size < 0 else size for axis, size in enumerate(tensor.shape[1:], 1))]
    return helper.make_tensor_value_info(tensor.name, _ELEMENT_TYPES[tensor.data_type], sizes)


def _short(domain: str) -> str:
    """The standard operators' domain has two names."""
    return "" if domain == "ai.onnx" else domain
