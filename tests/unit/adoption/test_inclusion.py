import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ostinato_models.adoption.inclusion import PREFIX, include
from ostinato_models.export.execution import open_onnx
from ostinato_models.export.graph_builder import GraphBuilder
from ostinato_models.export.signatures import Signature, batch


def branching() -> onnx.ModelProto:
    """2x + 10 where x begins with a positive number, else 2x - 10, each in a graph inside the graph."""

    def branch(kind: str) -> onnx.GraphProto:
        result = helper.make_tensor_value_info("result", TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(kind, ["doubled", "weight"], ["result"])], kind, [], [result])

    nodes = [
        helper.make_node("Add", ["x", "x"], ["doubled"]),
        helper.make_node("Slice", ["x", "zero", "one", "zero"], ["first"]),
        helper.make_node("Greater", ["first", "limit"], ["positive"]),
        helper.make_node("If", ["positive"], ["y"], then_branch=branch("Add"), else_branch=branch("Sub")),
    ]
    constants = [
        numpy_helper.from_array(np.array(10, np.float32), "weight"),
        numpy_helper.from_array(np.array([0], np.float32), "limit"),
        numpy_helper.from_array(np.array([0]), "zero"),
        numpy_helper.from_array(np.array([1]), "one"),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch"]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "branching", ports[:1], ports[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("ai.onnx", 16)], ir_version=8)


def test_graphs_inside_the_included_one_still_see_what_is_around_them() -> None:
    signature = Signature((batch("x"),), (batch("y"),))
    graph, model = GraphBuilder("fp32"), branching()
    before = model.SerializeToString()
    include(graph, model, {"x": graph.op("Neg", "x")})
    graph.rename(graph.op("Neg", PREFIX + "y"), "y")
    built = graph.build("around", "", signature.inputs, signature.outputs)
    assert {entry.domain: entry.version for entry in built.opset_import} == {"": 16, "com.microsoft": 1}
    assert model.SerializeToString() == before
    run = open_onnx(built.SerializeToString(), signature)
    assert run({"x": np.array([1.0, 2.0], np.float32)})["y"].tolist() == [12.0, 14.0]
    assert run({"x": np.array([-1.0, 2.0], np.float32)})["y"].tolist() == [-12.0, -6.0]
