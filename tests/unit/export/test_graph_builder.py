import numpy as np
import pytest
from onnx import TensorProto

from ostinato_models.export.execution import open_onnx
from ostinato_models.export.graph_builder import GraphBuilder, Name, Precision
from ostinato_models.export.signatures import Signature, batch

SIGNATURE = Signature((batch("x", "float32", 3),), (batch("y", "float32", 2),))
WEIGHT = np.array([[1.0, 0.0, -1.0], [0.5, 0.5, 0.5]], np.float32)


def test_equal_constants_are_stored_once() -> None:
    graph = GraphBuilder("fp32")
    assert graph.integers(1, 2) == graph.integers(1, 2)
    assert graph.integers(1) != graph.integers(2)
    assert graph.constant(np.zeros(2, np.float32)) != graph.constant(np.zeros((1, 2), np.float32))


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-6), ("int8", 0.02)])
def test_one_description_gives_both_precisions(precision: Precision, tolerance: float) -> None:
    graph = GraphBuilder(precision)
    graph.rename(graph.linear(graph.bounded("x"), WEIGHT, np.array([1.0, 2.0], np.float32)), "y")
    model = graph.build("linear", "doc", SIGNATURE.inputs, SIGNATURE.outputs)
    result = open_onnx(model.SerializeToString(), SIGNATURE)({"x": np.array([[0.5, -0.25, 0.125]], np.float32)})
    np.testing.assert_allclose(result["y"], [[1.375, 2.1875]], atol=tolerance)
    kinds = {node.op_type for node in model.graph.node}
    assert kinds == ({"Gemm"} if precision == "fp32" else {"QuantizeLinear", "MatMulIntegerToFloat"})


def test_operand_is_quantized_once_however_often_it_is_used() -> None:
    graph = GraphBuilder("int8")
    graph.rename(
        graph.op("Add", graph.linear(graph.bounded("x"), WEIGHT), graph.linear(graph.bounded("x"), WEIGHT)), "y"
    )
    model = graph.build("twice", "", SIGNATURE.inputs, SIGNATURE.outputs)
    assert [node.op_type for node in model.graph.node].count("QuantizeLinear") == 1


def test_model_declares_versions_that_older_runtimes_read() -> None:
    graph = GraphBuilder("fp32")
    graph.rename(graph.linear(graph.bounded("x"), WEIGHT), "y")
    model = graph.build("linear", "what it is", SIGNATURE.inputs, SIGNATURE.outputs)
    assert model.ir_version == 8
    assert {entry.domain: entry.version for entry in model.opset_import} == {"": 17, "com.microsoft": 1}
    assert model.doc_string == "what it is"


def test_value_with_two_names_is_given_under_both() -> None:
    signature = Signature((batch("x", "float32", 3),), (batch("y", "float32", 3), batch("z", "float32", 3)))
    graph = GraphBuilder("fp32")
    value = graph.op("Neg", "x")
    graph.rename(value, "y")
    graph.rename(value, "z")
    model = graph.build("twins", "", signature.inputs, signature.outputs)
    result = open_onnx(model.SerializeToString(), signature)({"x": np.ones((1, 3), np.float32)})
    assert result["y"].tolist() == result["z"].tolist() == [[-1.0, -1.0, -1.0]]


def test_scan_carries_a_state_and_collects_in_both_directions() -> None:
    signature = Signature(
        (batch("x", "float32", 3),),
        (batch("sums", "float32", 3), batch("total", "float32"), batch("back", "float32", 3)),
    )
    graph = GraphBuilder("fp32")

    def body(inner: GraphBuilder, carried: list[Name], slices: list[Name]) -> tuple[list[Name], list[Name]]:
        total = inner.op("Add", carried[0], slices[0])
        back = inner.op("Add", carried[1], slices[1])
        return [total, back], [total, back]

    zero = graph.constant(np.zeros(3, np.float32))
    final, collected = graph.scan(
        [zero, zero],
        ["x", "x"],
        body,
        outputs=2,
        types=[TensorProto.FLOAT] * 2,
        directions=[0, 1],
        output_directions=[0, 1],
    )
    for name, value in (("sums", collected[0]), ("total", final[0]), ("back", collected[1])):
        graph.rename(value, name)
    model = graph.build("scan", "", signature.inputs, signature.outputs)
    steps = np.array([[1, 2, 3], [10, 20, 30]], np.float32)
    result = open_onnx(model.SerializeToString(), signature)({"x": steps})
    assert result["sums"].tolist() == [[1, 2, 3], [11, 22, 33]]
    assert result["back"].tolist() == [[11, 22, 33], [10, 20, 30]]
    assert result["total"].tolist() == [11, 22, 33]


def test_float_matrices_of_an_int8_file_are_stored_as_halves_when_that_is_exact() -> None:
    exact, inexact = np.full((2, 3), 0.5, np.float32), np.full((2, 3), 0.1, np.float32)
    graph = GraphBuilder("int8")
    graph.rename(graph.op("Add", graph.float_linear("x", exact), graph.float_linear("x", inexact)), "y")
    model = graph.build("floats", "", SIGNATURE.inputs, SIGNATURE.outputs)
    kinds = sorted(constant.data_type for constant in model.graph.initializer)
    assert kinds == [TensorProto.FLOAT, TensorProto.FLOAT16]
