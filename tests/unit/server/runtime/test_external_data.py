"""Tensors that a graph keeps in files beside it are taken in, from wherever in the graph they are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from tests.bundles import build_tiny_bundle

from ostinato_server.runtime.external_data import self_contained

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)
FILE = b"\xff" * 8 + VALUES.tobytes() + b"\xff" * 8


def kept_elsewhere(location: str, offset: int | None = 8, length: int | None = VALUES.nbytes) -> onnx.TensorProto:
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=VALUES.shape)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    facts = {"location": location, "offset": offset, "length": length}
    for key, value in facts.items():
        if value is not None:
            tensor.external_data.add(key=key, value=str(value))
    return tensor


def in_initializer(tensor: onnx.TensorProto) -> onnx.ModelProto:
    return helper.make_model(helper.make_graph([], "g", [], [], [tensor]))


def in_attribute(tensor: onnx.TensorProto) -> onnx.ModelProto:
    return helper.make_model(helper.make_graph([helper.make_node("Constant", [], ["w"], value=tensor)], "g", [], []))


def in_subgraph(tensor: onnx.TensorProto) -> onnx.ModelProto:
    body = helper.make_graph([], "body", [], [], [tensor])
    inner = helper.make_graph([helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)], "g", [], [])
    return helper.make_model(
        helper.make_graph([helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=body)], "g", [], [])
    )


def in_function(tensor: onnx.TensorProto) -> onnx.ModelProto:
    node = helper.make_node("Constant", [], ["w"], value=tensor)
    function = helper.make_function("d", "f", [], ["w"], [node], [helper.make_opsetid("", 21)])
    return helper.make_model(helper.make_graph([], "g", [], []), functions=[function])


def in_sparse_initializer(tensor: onnx.TensorProto) -> onnx.ModelProto:
    model = helper.make_model(helper.make_graph([], "g", [], []))
    model.graph.sparse_initializer.add(values=tensor)
    return model


PLACES = [in_initializer, in_attribute, in_subgraph, in_function, in_sparse_initializer]


def tensors(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    graphs, found = [model.graph], []
    nodes = [node for function in model.functions for node in function.node]
    while graphs:
        graph = graphs.pop()
        nodes += graph.node
        found += [*graph.initializer, *(each.values for each in graph.sparse_initializer)]
        while nodes:
            for attribute in nodes.pop().attribute:
                found += [attribute.t] if attribute.HasField("t") else []
                graphs += [attribute.g] if attribute.HasField("g") else []
    return found


@pytest.mark.parametrize("place", PLACES)
def test_tensor_kept_elsewhere_is_taken_in(place: Callable[[onnx.TensorProto], onnx.ModelProto]) -> None:
    asked: list[str] = []

    def read(name: str) -> bytes:
        asked.append(name)
        return FILE

    model = onnx.ModelProto.FromString(self_contained(place(kept_elsewhere("beside.bin")).SerializeToString(), read))
    assert asked == ["beside.bin"]
    assert tensors(model)
    for tensor in tensors(model):
        assert not tensor.external_data
        np.testing.assert_array_equal(numpy_helper.to_array(tensor), VALUES)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("location", ["../../secret", "/etc/passwd", "*/_ORT_MEM_ADDR_/*", ""])
def test_whoever_reads_is_asked_for_every_place(
    place: Callable[[onnx.TensorProto], onnx.ModelProto], location: str
) -> None:
    def read(name: str) -> bytes:
        assert name == location
        raise PermissionError(name)

    with pytest.raises(PermissionError):
        self_contained(place(kept_elsewhere(location)).SerializeToString(), read)


def test_part_of_a_file_without_an_end_is_all_the_rest() -> None:
    content = in_initializer(kept_elsewhere("f", offset=None, length=None)).SerializeToString()
    (tensor,) = onnx.ModelProto.FromString(self_contained(content, lambda _: VALUES.tobytes())).graph.initializer
    np.testing.assert_array_equal(numpy_helper.to_array(tensor), VALUES)


@pytest.mark.parametrize(("offset", "length"), [(8, 10_000), (10_000, 1), (-1, 4), (8, -4), (10_000, None)])
def test_part_that_is_not_in_the_file_is_refused(offset: int, length: int | None) -> None:
    content = in_initializer(kept_elsewhere("beside.bin", offset, length)).SerializeToString()
    with pytest.raises(ValueError, match="which has 40"):
        self_contained(content, lambda _: FILE)


def test_graph_that_is_complete_keeps_its_bytes(tmp_path: Path) -> None:
    content = (build_tiny_bundle(tmp_path, "sentiment") / "classifier.onnx").read_bytes()
    assert self_contained(content, lambda name: pytest.fail(f"asked for {name}")) == content


def test_nothing_else_of_a_graph_changes(tmp_path: Path) -> None:
    folder = build_tiny_bundle(tmp_path, "generation")
    before = onnx.load(str(folder / "prefill.onnx"))
    for tensor in tensors(before):
        tensor.ClearField("data_location")  # which the library sets to its default
    content = (folder / "prefill.onnx").read_bytes()
    after = onnx.ModelProto.FromString(self_contained(content, lambda name: (folder / name).read_bytes()))
    assert after.SerializeToString(deterministic=True) == before.SerializeToString(deterministic=True)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_graph_are_refused_or_read_as_one(content: bytes) -> None:
    with suppress(ValueError):
        assert self_contained(content, lambda _: b"") is not None
