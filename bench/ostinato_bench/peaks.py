"""How fast this machine multiplies matrices, at the very shapes of a step graph: what bounds a step.

Each of the graph's matrix products is run alone, as a graph of one node with the same weights, in the same runtime.
Needs the ``onnx`` package, which the ``train`` extra brings.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

_WEIGHT_INPUT = {"MatMulIntegerToFloat": 1, "MatMulInteger": 1, "Gemm": 1, "MatMul": 1}
_INTEGER = ("MatMulIntegerToFloat", "MatMulInteger")
SMALLEST = 10_000
"""Weights of fewer numbers are left out: a constant triangle that sums, a column that scores."""


@dataclass(frozen=True, slots=True)
class Product:
    """A matrix product of a step: (batch, inner) times (inner, outer).

    Attributes:
        weight: The constant matrix, int8 or float32, (inner, outer).
    """

    weight: np.ndarray[tuple[int, int], np.dtype[Any]]

    def operations(self, batch: int) -> int:
        """Multiplications and additions."""
        inner, outer = self.weight.shape
        return 2 * batch * inner * outer


def find_products(path: Path) -> list[Product]:
    """The products of a graph with constant matrices, in its own order."""
    graph = onnx.load(str(path)).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    found = []
    for node in graph.node:
        place = _WEIGHT_INPUT.get(node.op_type)
        if place is None or node.input[place] not in constants:
            continue
        weight = numpy_helper.to_array(constants[node.input[place]])
        if weight.ndim == 2 and weight.size >= SMALLEST:
            found.append(Product(weight))
    return found


def seconds_of(product: Product, batch: int, seconds: float, threads: int) -> float:
    """The median time of one product."""
    session = onnxruntime.InferenceSession(
        _alone(product).SerializeToString(), _options(threads), providers=["CPUExecutionProvider"]
    )
    source = np.random.default_rng(1)
    shape = (batch, product.weight.shape[0])
    left = (
        source.integers(0, 256, shape).astype(np.uint8)
        if product.weight.dtype == np.int8
        else source.standard_normal(shape, np.float32)
    )
    durations = []
    for _ in _until(seconds):
        start = time.perf_counter()
        session.run(None, {"left": left})
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


def peak(products: list[Product], batch: int, seconds: float, threads: int) -> float:
    """Operations a second of the fastest of some products."""
    return max(product.operations(batch) / seconds_of(product, batch, seconds, threads) for product in products)


def _alone(product: Product) -> onnx.ModelProto:
    integer = product.weight.dtype == np.int8
    weight = numpy_helper.from_array(np.ascontiguousarray(product.weight), "right")
    constants = [weight]
    inputs = ["left", "right"]
    if integer:
        constants.append(numpy_helper.from_array(np.array(128, np.uint8), "zero"))
        inputs.append("zero")
    node = helper.make_node("MatMulInteger" if integer else "MatMul", inputs, ["product"])
    left, result = (TensorProto.UINT8, TensorProto.INT32) if integer else (TensorProto.FLOAT, TensorProto.FLOAT)
    inner, outer = product.weight.shape
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("left", left, ["batch", inner])],
        [helper.make_tensor_value_info("product", result, ["batch", outer])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


def _until(seconds: float) -> Iterator[None]:
    end = time.perf_counter() + seconds
    yield None
    while time.perf_counter() < end:
        yield None
