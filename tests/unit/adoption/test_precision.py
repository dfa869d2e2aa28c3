"""ONNX files in float16, in types that are not served, and quantised ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic
from tests.unit.adoption.owners import Flat, examples, letters, save_onnx
from tests.unit.adoption.plain import Plain

from ostinato_bundle import open_bundle
from ostinato_models.adoption.adopt import adopt_onnx
from ostinato_models.adoption.bundle import Statement, write_adopted
from ostinato_models.adoption.errors import AdoptionError
from ostinato_models.adoption.onnx_file import read_onnx
from ostinato_models.adoption.roles import NamedRoles
from ostinato_models.export.execution import open_graph
from ostinato_models.export.writer import Target


def half(model: onnx.ModelProto, *, inside_only: bool = False) -> onnx.ModelProto:
    """As converters make it: float16 weights and values, and casts at the edges where only the inside is."""
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    floats = [port for port in (*graph.input, *graph.output) if port.type.tensor_type.elem_type == TensorProto.FLOAT]
    if not inside_only:
        for port in floats:
            port.type.tensor_type.elem_type = TensorProto.FLOAT16
        return model
    names = {port.name for port in floats}
    taken = {port.name for port in graph.input}
    for node in graph.node:
        for values in (node.input, node.output):
            values[:] = [f"{name}_half" if name in names else name for name in values]
    edges = [
        helper.make_node("Cast", [name], [f"{name}_half"], to=TensorProto.FLOAT16)
        if name in taken
        else helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT)
        for name in sorted(names)
    ]
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([node for node in edges if node.input[0] in taken])
    graph.node.extend([*nodes, *(node for node in edges if node.input[0] not in taken)])
    return model


def saved(folder: Path, model: onnx.ModelProto) -> Path:
    onnx.save(model, folder / "half.onnx")
    return folder / "half.onnx"


@pytest.mark.parametrize("inside_only", [False, True])
def test_float16_is_computed_in_float32_and_held_against_the_owners_graph(tmp_path: Path, inside_only: bool) -> None:
    path = saved(tmp_path, half(Plain().model(), inside_only=inside_only))
    found = adopt_onnx(path, letters(tmp_path), NamedRoles())
    assert found.facts["precision"] == "float16 weights, computed in float32"
    assert found.row_difference == 0
    by_kind = {row.what: row for row in found.parity}
    assert by_kind["the model reading in one call and token by token"].tolerance == 0.02
    assert 1e-5 < by_kind["log-probabilities (nats)"].max_abs_difference <= 0.04


def test_float16_export_of_torch_is_served_with_its_weights_as_they_are(tmp_path: Path) -> None:
    tokens, h, c = examples()
    path = save_onnx(tmp_path, Flat().half(), (tokens, h.half(), c.half()))
    found = adopt_onnx(path, letters(tmp_path), NamedRoles())
    folder = write_adopted(found, Target(tmp_path / "repository", "mine"), Statement("d", "l", "c"))
    step = onnx.load(folder / "step.onnx")
    floats = [tensor for tensor in step.graph.initializer if tensor.name.startswith("given/") and len(tensor.dims) > 1]
    assert {tensor.data_type for tensor in floats} == {TensorProto.FLOAT16}
    signature = found.graphs["step"][1]
    run = open_graph(folder / "step.onnx", "onnx", signature)
    inputs = {tensor.name: np.zeros((2, *tensor.shape[1:]), tensor.data_type) for tensor in signature.inputs}
    assert run(inputs)["next_state_0"].dtype == np.float32
    assert open_bundle(folder).manifest.architecture["precision"] == "float16 weights, computed in float32"


@pytest.mark.parametrize(("dtype", "name"), [(torch.float64, "float64"), (torch.bfloat16, "bfloat16")])
def test_types_that_are_not_served_are_named_with_the_remedy(tmp_path: Path, dtype: torch.dtype, name: str) -> None:
    tokens, h, c = examples()
    path = save_onnx(tmp_path, Flat().to(dtype), (tokens, h.to(dtype), c.to(dtype)))
    with pytest.raises(AdoptionError, match=rf"computes in {name}, .*; call model\.float\(\) before the export"):
        read_onnx(path)


def test_single_numbers_in_float64_are_allowed(tmp_path: Path) -> None:
    model = Plain(behind="Identity").model()
    model.graph.initializer.append(numpy_helper.from_array(np.array(1.0), "one"))
    model.graph.node[-1].CopyFrom(helper.make_node("Cast", ["one"], ["one_float"], to=TensorProto.FLOAT))
    model.graph.node.append(helper.make_node("Mul", ["raw", "one_float"], ["logits"]))
    assert read_onnx(saved(tmp_path, model)).half is None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kinds", [["LSTM", "MatMul"], ["MatMul"]])
def test_dynamically_quantised_file_is_refused_with_the_reason(tmp_path: Path, kinds: list[str]) -> None:
    path = save_onnx(tmp_path, Flat(), examples())
    quantize_dynamic(path, tmp_path / "int8.onnx", op_types_to_quantize=kinds)
    problem = (
        r"is quantised dynamically \(Dynamic.*\): its operators compute one scale from all values of a batch, "
        "so the result of a row depends on the rows beside it; export the float model, or quantise it statically"
    )
    with pytest.raises(AdoptionError, match=problem):
        read_onnx(tmp_path / "int8.onnx")


def test_file_of_the_dynamo_exporter_is_known_and_its_traces_are_left_out(tmp_path: Path) -> None:
    model = Plain(shapes={"tokens": (2, 3), "h": (1, 2, 6), "hn": (1, 2, 6), "logits": (2, 3, 11)}).model()
    node = model.graph.node[0]
    node.metadata_props.add(key="pkg.torch.onnx.stack_trace", value='File "/home/me/secret.py", line 1')
    with pytest.raises(AdoptionError) as refused:
        adopt_onnx(saved(tmp_path, model), letters(tmp_path), NamedRoles())
    assert "dynamic_shapes=({0: batch, 1: time}, {1: batch})," in refused.value.remedy
    open_model = Plain().model()
    open_model.graph.node[0].CopyFrom(node)
    open_model.graph.node[1].doc_string = "/home/me/secret.py(1): forward"
    found = adopt_onnx(saved(tmp_path, open_model), letters(tmp_path), NamedRoles())
    step = found.graphs["step"][0]
    assert isinstance(step, onnx.ModelProto)
    assert b"secret" not in step.SerializeToString()
