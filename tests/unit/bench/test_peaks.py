"""What bounds a step: its own matrix products."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from ostinato_bench.peaks import Product, find_products, peak
from ostinato_bundle import Tensor
from ostinato_models.export.graph_builder import GraphBuilder, Precision

WEIGHT = np.linspace(-1, 1, 160 * 96, dtype=np.float32).reshape(160, 96)
SMALL = np.ones((96, 96), np.float32)


@pytest.mark.parametrize(("precision", "data_type"), [("int8", np.int8), ("fp32", np.float32)])
def test_products_are_those_with_large_constant_matrices(
    tmp_path: Path, precision: Precision, data_type: type[np.generic]
) -> None:
    graph = GraphBuilder(precision)
    operand = graph.bounded("x")
    wide = graph.linear(operand, WEIGHT)
    graph.rename(graph.op("Concat", wide, graph.linear(operand, SMALL), axis=1), "y")
    x = Tensor.model_validate({"name": "x", "data_type": "float32", "shape": (-1, 96)})
    y = Tensor.model_validate({"name": "y", "data_type": "float32", "shape": (-1, 256)})
    onnx.save(graph.build("products", "", [x], [y]), str(tmp_path / "graph.onnx"))
    (found,) = find_products(tmp_path / "graph.onnx")
    assert found.weight.shape == (96, 160)
    assert found.weight.dtype == np.dtype(data_type)
    assert found.operations(batch=4) == 2 * 4 * 96 * 160


def test_peak_is_the_fastest_product(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, fast = Product(np.zeros((10, 10), np.int8)), Product(np.zeros((10, 30), np.int8))
    monkeypatch.setattr("ostinato_bench.peaks.seconds_of", lambda *_: 2.0)
    assert peak([slow, fast], 5, 1.0, 1) == 2 * 5 * 10 * 30 / 2.0


@pytest.mark.parametrize("data_type", [np.int8, np.float32])
def test_product_runs_alone(data_type: type[np.generic]) -> None:
    assert peak([Product(np.ones((8, 4), data_type))], 2, 0.001, 1) > 0
