import numpy as np
import pytest

from ostinato_models.export.execution import Array, open_onnx
from ostinato_models.export.graph_builder import GraphBuilder
from ostinato_models.export.quantization import UNIT_SCALE, quantize_table, quantize_weight
from ostinato_models.export.signatures import Signature, batch


def product(weight: Array, inputs: Array, bias: Array | None = None) -> Array:
    """inputs · weightᵀ + bias through an int8 graph."""
    graph = GraphBuilder("int8")
    graph.rename(graph.linear(graph.bounded("x"), weight, bias), "y")
    signature = Signature((batch("x", "float32", weight.shape[1]),), (batch("y", "float32", len(weight)),))
    model = graph.build("product", "", signature.inputs, signature.outputs)
    return open_onnx(model.SerializeToString(), signature)({"x": inputs})["y"]


def test_weights_stay_within_seven_bits_and_half_a_step() -> None:
    weight = np.random.default_rng(0).normal(size=(20, 50)).astype(np.float32)
    quantized = quantize_weight(weight)
    assert np.abs(quantized.values.astype(int)).max(axis=1).tolist() == [64] * 20
    error = np.abs(weight - quantized.values * quantized.scale[:, None])
    assert (error <= quantized.scale[:, None] / 2 + 1e-7).all()


def test_a_channel_of_zeros_stays_zero() -> None:
    quantized = quantize_weight(np.zeros((2, 3), np.float32))
    assert not quantized.values.any()
    assert np.isfinite(quantized.scale).all()


def test_table_is_stored_as_activations_around_128() -> None:
    table = np.array([[0.5, -0.5], [0.0, 0.25]], np.float32)
    quantized = quantize_table(table)
    assert quantized.values.tolist() == [[255, 1], [128, 192]]
    assert quantized.scale == pytest.approx(0.5 / 127)


@pytest.mark.parametrize("rows", [1, 4, 33])
def test_product_at_the_ends_of_the_range_is_exact(rows: int) -> None:
    """Two neighbouring products of 8-bit weights would saturate 16 bits on a machine without VNNI."""
    random = np.random.default_rng(1)
    weight = random.choice([-1.0, 1.0], (64, 512)).astype(np.float32)
    inputs = random.choice([-1.0, 1.0], (rows, 512)).astype(np.float32)
    exact = (inputs * 127).astype(np.int64) @ (weight.T * 64).astype(np.int64)
    scale = np.float32(UNIT_SCALE) * np.float32(1 / 64)
    np.testing.assert_allclose(product(weight, inputs), exact * np.float64(scale), rtol=2e-7)


def test_product_is_close_to_the_float_one_and_carries_its_bias() -> None:
    random = np.random.default_rng(2)
    weight = random.normal(0, 0.1, (40, 128)).astype(np.float32)
    inputs = random.uniform(-1, 1, (5, 128)).astype(np.float32)
    bias = random.normal(size=40).astype(np.float32)
    assert np.abs(product(weight, inputs, bias) - (inputs @ weight.T + bias)).max() < 0.03
