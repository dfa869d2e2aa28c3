"""Both step tables keep the same promises, on real graphs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.bundles import build_tiny_bundle

from ostinato_bundle import Bundle, open_bundle
from ostinato_server.errors import StartupError
from ostinato_server.runtime.base import StepTable
from ostinato_server.runtime.select import open_backend

CAPACITY = 8


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_bundle(tmp_path_factory.mktemp("repository"), "generation")


@pytest.fixture(params=["onnx-int8", "onnx", "torchscript"])
def table(request: pytest.FixtureRequest, bundle: Path) -> StepTable:
    return open_backend(open_bundle(bundle), "cpu", request.param, 1).step_table("step", CAPACITY)


def begin(table: StepTable, row: int, token: int, seed: int) -> None:
    table.write(row, ())
    for name, value in {"token": token, "temperature": 1.0, "top_k": 0, "top_p": 1.0}.items():
        table.columns[name][row] = value
    table.columns["uniform"][row] = np.random.default_rng(seed).random(dtype=np.float32)


def walk(table: StepTable, row: int, count: int, steps: int) -> list[int]:
    """Tokens that a row gives over some steps, each read at the next."""
    tokens = []
    for _ in range(steps):
        given = table.step(count)["next_token"].copy()
        table.columns["token"][:count] = given
        tokens.append(int(given[row]))
    return tokens


def test_row_gives_the_same_alone_and_among_others(table: StepTable) -> None:
    begin(table, 0, token=3, seed=1)
    alone = walk(table, 0, 1, 12)
    for row in range(CAPACITY):
        begin(table, row, token=3 + row, seed=1 + row)
    assert walk(table, 0, CAPACITY, 12) == alone


@pytest.mark.parametrize("count", [1, CAPACITY])
def test_several_steps_in_one_run_give_what_they_give_one_by_one(table: StepTable, count: int) -> None:
    uniforms = np.random.default_rng(4).random((9, count), np.float32)
    given: list[list[NDArray[Any]]] = []
    for lengths in ([1] * 9, [9], [4, 1, 2, 2]):
        for row in range(count):
            begin(table, row, token=3 + row, seed=row)
        rows = np.split(uniforms, np.cumsum(lengths)[:-1])
        found = [tuple(np.array(part) for part in table.run(count, row)) for row in rows]
        tokens, logprobs = (np.concatenate(part) for part in zip(*found, strict=True))
        states = [np.stack([table.read(row)[0][index] for row in range(count)]) for index in range(2)]
        assert table.columns["token"][:count].tolist() == tokens[-1].tolist()
        given.append([tokens, logprobs, *states])
    for other in given[1:]:
        for ours, theirs in zip(given[0], other, strict=True):
            assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("runtime", ["onnx-int8", "onnx"])
def test_onnx_makes_several_steps_in_one_run(bundle: Path, runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = open_backend(open_bundle(bundle), "cpu", runtime, 1).step_table("step", CAPACITY)
    begin(table, 0, token=3, seed=1)
    monkeypatch.delattr(type(table), "step")
    tokens, _ = table.run(1, np.zeros((4, 1), np.float32))
    assert tokens.shape == (4, 1)


def test_moved_row_goes_on_where_it_was(table: StepTable) -> None:
    begin(table, 0, token=3, seed=1)
    expected = walk(table, 0, 1, 12)
    begin(table, 0, token=9, seed=9)
    begin(table, 1, token=3, seed=1)
    first = walk(table, 1, 2, 5)
    table.move(1, 0)
    assert first + walk(table, 0, 1, 7) == expected


def test_stream_that_was_read_out_and_written_back_goes_on_where_it_was(table: StepTable) -> None:
    begin(table, 0, token=3, seed=1)
    expected = walk(table, 0, 1, 12)
    begin(table, 0, token=3, seed=1)
    first = walk(table, 0, 1, 5)
    token = int(table.columns["token"][0])
    state, memory = table.read(0)
    begin(table, 0, token=8, seed=2)
    walk(table, 0, 1, 3)
    begin(table, 4, token=token, seed=1)
    table.write(4, state, memory)
    assert first + walk(table, 4, 5, 7) == expected


def test_permuted_rows_take_over_each_others_state(table: StepTable) -> None:
    for row in range(3):
        begin(table, row, token=row, seed=row)
    walk(table, 0, 3, 4)
    before = [table.read(row)[0] for row in range(3)]
    table.permute([0, 1, 2], [2, 2, 0])
    for row, source in enumerate([2, 2, 0]):
        for now, then in zip(table.read(row)[0], before[source], strict=True):
            assert np.array_equal(now, then)


def test_runtime_that_the_bundle_has_no_file_for_is_refused(bundle: Path) -> None:
    opened = open_bundle(bundle)
    graphs = {
        name: graph.model_copy(update={"artifacts": {"onnx-int8": graph.artifacts["onnx-int8"]}})
        for name, graph in opened.manifest.graphs.items()
    }
    shipped = Bundle(opened.path, opened.manifest.model_copy(update={"graphs": graphs}))
    assert open_backend(shipped, "cpu", "auto", 1).runtime == "onnx-int8"
    with pytest.raises(StartupError, match=r"torchscript .* \(the bundle has onnx-int8\); .ostinato export"):
        open_backend(shipped, "cpu", "torchscript", 1)


def test_a_lost_state_shows_in_the_results_or_is_found_within_as_many_looks_as_there_are_tensors(
    table: StepTable,
) -> None:
    for row in range(3):
        begin(table, row, token=3, seed=row)
    state, _ = table.read(1)
    state[-1][0] = np.nan  # the last layer's cell state, one number of it
    table.write(1, state)
    found: set[int] = set()
    for _ in state:
        results = table.step(3)
        found |= {*table.broken(3), *np.flatnonzero(~np.isfinite(results["logprob"])).tolist()}
        table.columns["token"][:3] = results["next_token"]
    assert found == {1}
