"""A small plain model as an owner might export it, with the faults that owners' exports have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

VOCABULARY, EMBEDDING, HIDDEN = 11, 4, 6
Sizes = Sequence[int | str]


@dataclass(frozen=True, slots=True)
class Plain:
    """A GRU: tokens (B, T), h (1, B, H) → logits (B, T, V), hn (1, B, H).

    Attributes:
        shapes: declared instead of the right ones, by tensor.
        token_type: of the ids.
        behind: a node between the logits and the output: Softmax, LogSoftmax or "", or what mixes rows or is random.
        time_first: tokens (T, B) and logits (T, B, V).
        names: other names for the tensors.
        extra_inputs: float inputs (B, 1) that are added to the logits.
        opset: version of the operators.
    """

    shapes: Mapping[str, Sizes] = field(default_factory=dict)
    token_type: int = TensorProto.INT64
    behind: str = ""
    time_first: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    extra_inputs: Sequence[str] = ()
    opset: int = 17

    def model(self) -> onnx.ModelProto:
        random = np.random.default_rng(4)

        def weights(name: str, *sizes: int) -> TensorProto:
            return numpy_helper.from_array(random.normal(0, 0.5, sizes).astype(np.float32), name)

        constants = [
            weights("table", VOCABULARY, EMBEDDING),
            weights("w", 1, 3 * HIDDEN, EMBEDDING),
            weights("r", 1, 3 * HIDDEN, HIDDEN),
            weights("output", HIDDEN, VOCABULARY),
            numpy_helper.from_array(np.array([1]), "direction"),
        ]
        node = helper.make_node
        last = "raw" if self.behind or self.extra_inputs else "logits"
        order = [0, 1] if self.time_first else [1, 0]
        times = ("time", "batch") if self.time_first else ("batch", "time")
        nodes = [
            node("Transpose", ["tokens"], ["by_time"], perm=order),
            node("Gather", ["table", "by_time"], ["embedded"]),
            node("GRU", ["embedded", "w", "r", "", "", "h"], ["y", "hn"], hidden_size=HIDDEN),
            node("Squeeze", ["y", "direction"], ["top"]),
            node("MatMul", ["top", "output"], ["scores"]),
            node("Transpose", ["scores"], [last], perm=[*order, 2]),
        ]
        if self.behind == "BatchMean":
            constants.append(numpy_helper.from_array(np.array([0]), "rows"))
            nodes += [node("ReduceSum", ["raw", "rows"], ["mean"]), node("Sub", ["raw", "mean"], ["logits"])]
        elif self.behind == "Noise":
            nodes += [node("RandomNormalLike", ["raw"], ["noise"]), node("Add", ["raw", "noise"], ["logits"])]
        elif self.behind:
            domain = "my.operators" if self.behind == "Custom" else ""
            nodes.append(node(self.behind, ["raw"], ["logits"], domain=domain))
        for index, extra in enumerate(self.extra_inputs):
            given = "logits" if index + 1 == len(self.extra_inputs) else f"raw{index}"
            nodes.append(node("Add", ["raw" if index == 0 else f"raw{index - 1}", extra], [given]))
        inputs = [
            self._port("tokens", self.token_type, times),
            self._port("h", TensorProto.FLOAT, (1, "batch", HIDDEN)),
            *(self._port(name, TensorProto.FLOAT, ("batch", 1)) for name in self.extra_inputs),
        ]
        outputs = [
            self._port("logits", TensorProto.FLOAT, (*times, VOCABULARY)),
            self._port("hn", TensorProto.FLOAT, (1, "batch", HIDDEN)),
        ]
        graph = helper.make_graph(nodes, "plain", inputs, outputs, constants)
        for old, new in self.names.items():
            _rename(graph, old, new)
        imports = [helper.make_opsetid("", self.opset)]
        if self.behind == "Custom":
            imports.append(helper.make_opsetid("my.operators", 1))
        return helper.make_model(graph, opset_imports=imports, ir_version=8)

    def save(self, folder: Path) -> Path:
        path = folder / "plain.onnx"
        onnx.save(self.model(), path)
        return path

    def _port(self, name: str, kind: int, shape: Sizes) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, list(self.shapes.get(name, shape)))


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for port in (*graph.input, *graph.output):
        port.name = new if port.name == old else port.name
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]
