from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.unit.export.graphs import ONNX, opened

from ostinato_bundle import Artifact
from ostinato_models.export.execution import Array, open_graph
from ostinato_models.export.graph_builder import GraphBuilder
from ostinato_models.export.graphs import graphs_of
from ostinato_models.export.shared_tensors import ALIGNMENT, save_graphs
from ostinato_models.export.signatures import batch
from ostinato_models.export.untrained import untrained_generator
from ostinato_models.export.writer import Target, write_bundle


def sum_with(*constants: np.ndarray[tuple[int], np.dtype[np.float32]]) -> onnx.ModelProto:
    graph = GraphBuilder("fp32")
    value = "x"
    for constant in constants:
        value = graph.op("Add", value, graph.constant(constant))
    graph.rename(value, "y")
    return graph.build("sum", "", [batch("x", "float32", 5000)], [batch("y", "float32", 5000)])


def constant(seed: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).random(5000, dtype=np.float32)


def test_constants_of_two_graphs_are_stored_once_and_those_of_one_stay(tmp_path: Path) -> None:
    models = {tmp_path / "a.onnx": sum_with(constant(1), constant(2)), tmp_path / "b.onnx": sum_with(constant(2))}
    save_graphs(models, tmp_path / "tensors.bin")
    assert (tmp_path / "tensors.bin").read_bytes() == constant(2).tobytes()
    assert (tmp_path / "a.onnx").stat().st_size > 20_000 > (tmp_path / "b.onnx").stat().st_size
    onnx.checker.check_model(str(tmp_path / "b.onnx"))


def test_shared_constants_begin_on_pages(tmp_path: Path) -> None:
    both = sum_with(constant(1), constant(2))
    save_graphs(
        {tmp_path / "a.onnx": both, tmp_path / "b.onnx": sum_with(constant(2), constant(1))}, tmp_path / "t.bin"
    )
    content = (tmp_path / "t.bin").read_bytes()
    start = -(-20_000 // ALIGNMENT) * ALIGNMENT
    assert content[:20_000] == constant(1).tobytes()
    assert content[start:] == constant(2).tobytes()


def test_graphs_that_share_nothing_need_no_file(tmp_path: Path) -> None:
    save_graphs({tmp_path / "a.onnx": sum_with(constant(1))}, tmp_path / "tensors.bin")
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


@pytest.mark.parametrize("artifact", ONNX)
def test_bundle_computes_what_its_graphs_compute_alone(artifact: Artifact, tmp_path: Path) -> None:
    source = untrained_generator(hidden_size=96)
    folder = write_bundle(source, Target(tmp_path / "bundle", "m", artifacts=(artifact,)))
    assert (folder / ("tensors.int8.bin" if artifact == "onnx-int8" else "tensors.bin")).stat().st_size > 96 * 96 * 4
    alone = opened(source, artifact, tmp_path, "prefill")["prefill"]
    file = folder / ("prefill.int8.onnx" if artifact == "onnx-int8" else "prefill.onnx")
    shared = open_graph(file, artifact, graphs_of(source).signatures()["prefill"])
    inputs: dict[str, Array] = {
        "tokens": np.random.default_rng(1).integers(0, 63, (3, 11)),
        **{f"state_{index}": np.zeros((3, 96), np.float32) for index in range(4)},
    }
    ours, theirs = shared(inputs), alone(inputs)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value)
