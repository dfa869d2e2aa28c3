"""How fast this machine multiplies matrices, at the very shapes of a step graph: what bounds a step.

Each of the graph's matrix products is run alone, as a graph of one node with the same weights, in the same runtime.
Needs the ``onnx`` package, which the ``train`` extra brings.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ostinato_bench.alone import WARM_UP, open_alone, runs

_PRODUCTS = ("MatMulIntegerToFloat", "MatMulInteger", "Gemm", "MatMul")
"""Operators whose second input is a matrix, (inner, outer)."""

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
        if node.op_type not in _PRODUCTS or node.input[1] not in constants:
            continue
        weight = numpy_helper.to_array(constants[node.input[1]])
        if weight.ndim == 2 and weight.size >= SMALLEST:
            found.append(Product(weight))
    return found


def seconds_of(product: Product, batch: int, seconds: float, threads: int) -> float:
    """The median time of one product."""
    session = open_alone(_graph_of(product).SerializeToString(), threads)
    source = np.random.default_rng(1)
    shape = (batch, product.weight.shape[0])
    left = (
        source.integers(0, 256, shape).astype(np.uint8)
        if product.weight.dtype == np.int8
        else source.standard_normal(shape, np.float32)
    )
    durations = []
    for _ in runs(seconds):
        start = time.perf_counter()
        session.run(None, {"left": left})
        durations.append(time.perf_counter() - start)
    return statistics.median(durations[WARM_UP:])


def peak(products: list[Product], batch: int, seconds: float, threads: int) -> float:
    """Operations a second of the fastest of some products."""
    return max(product.operations(batch) / seconds_of(product, batch, seconds, threads) for product in products)


def _graph_of(product: Product) -> onnx.ModelProto:
    integer = product.weight.dtype == np.int8
    constants = [numpy_helper.from_array(np.ascontiguousarray(product.weight), "right")]
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
