"""The table whose step is recorded, with a tape in the place of CUDA graphs: only addresses and buffers may matter."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.bundles import build_tiny_bundle
from tests.tape import TapeLauncher

from ostinato_bundle import Bundle, open_bundle
from ostinato_server.runtime.base import Array, FloatArray, StepTable
from ostinato_server.runtime.ladder import ladder, rung
from ostinato_server.runtime.recorded import MOST_STEPS, STEPS_TOGETHER, RecordedStepTable
from ostinato_server.runtime.torchscript import TorchScriptBackend, TorchScriptStepTable

CAPACITY = 20
LENGTHS = [1, 3, STEPS_TOGETHER - 1, STEPS_TOGETHER, STEPS_TOGETHER + 1, MOST_STEPS, MOST_STEPS + 1]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(build_tiny_bundle(tmp_path_factory.mktemp("repository"), "generation"))


@pytest.fixture(scope="module")
def module(bundle: Bundle) -> Callable[..., Any]:
    return TorchScriptBackend(bundle, "cpu", 1)._load("step")


@pytest.fixture
def launcher() -> TapeLauncher:
    return TapeLauncher()


@pytest.fixture
def recorded(bundle: Bundle, module: Callable[..., Any], launcher: TapeLauncher) -> RecordedStepTable:
    return RecordedStepTable(module, bundle.manifest.graphs["step"], CAPACITY, "cpu", launcher)


@pytest.fixture
def plain(bundle: Bundle, module: Callable[..., Any]) -> StepTable:
    """Runs as many rows as it is told to, as a recording does, where the backend's own table fills a batch up."""
    return TorchScriptStepTable(module, bundle.manifest.graphs["step"], CAPACITY, "cpu", lambda count: count)


def begin(table: StepTable, rows: int) -> None:
    for row in range(rows):
        table.write(row, ())
        for name, value in {"token": 3 + row, "temperature": 0.5 + row / 8, "top_k": row, "top_p": 0.9}.items():
            table.columns[name][row] = value


def states(table: StepTable, rows: int) -> list[FloatArray]:
    return [np.stack([table.read(row)[0][index] for row in range(rows)]) for index in range(2)]


def run_as_wide(plain: StepTable, count: int, uniforms: FloatArray) -> tuple[Array, Array]:
    """The same products as on a rung: how they are rounded depends on how many rows there are."""
    wide = rung(count, CAPACITY)
    tokens, logprobs = plain.run(wide, np.pad(uniforms, ((0, 0), (0, wide - count))))
    return tokens[:, :count], logprobs[:, :count]


def test_every_rung_is_recorded_when_the_table_is_made_and_leaves_no_trace(
    recorded: RecordedStepTable, launcher: TapeLauncher
) -> None:
    assert launcher.recordings == 2 * len(ladder(CAPACITY))
    assert not any(state.any() for state in states(recorded, CAPACITY))


@pytest.mark.parametrize("count", [1, 2, 3, 9, 16, 17, CAPACITY])
def test_single_steps_give_what_they_give_without_a_recording(
    recorded: RecordedStepTable, plain: StepTable, count: int
) -> None:
    begin(recorded, count)
    begin(plain, count)
    for uniforms in np.random.default_rng(1).random((5, count), np.float32):
        given = []
        for table, rows in ((recorded, count), (plain, rung(count, CAPACITY))):
            table.columns["uniform"][:count] = uniforms
            results = {name: array[:count].copy() for name, array in table.step(rows).items()}
            table.columns["token"][:count] = results["next_token"]
            given.append(results)
        assert given[0].keys() == given[1].keys()
        for name, array in given[1].items():
            assert np.array_equal(given[0][name], array), name
    for ours, theirs in zip(states(recorded, count), states(plain, count), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("count", [1, 5, CAPACITY])
def test_runs_of_any_length_give_what_they_give_without_a_recording(
    recorded: RecordedStepTable, plain: StepTable, count: int
) -> None:
    begin(recorded, count)
    begin(plain, count)
    random = np.random.default_rng(2)
    for steps in LENGTHS:
        uniforms = random.random((steps, count), np.float32)
        tokens, logprobs = recorded.run(count, uniforms)
        expected_tokens, expected_logprobs = run_as_wide(plain, count, uniforms)
        assert [str(part.dtype) for part in (tokens, logprobs)] == ["int64", "float32"]
        assert np.array_equal(tokens, expected_tokens)
        assert np.array_equal(logprobs, expected_logprobs)
        assert recorded.columns["token"][:count].tolist() == tokens[-1].tolist()
    for ours, theirs in zip(states(recorded, count), states(plain, count), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(("steps", "launches", "waits"), [(1, 1, 1), (7, 7, 1), (8, 1, 1), (16, 2, 1), (20, 6, 2)])
def test_run_takes_few_launches_and_waits_for_the_device_once(
    recorded: RecordedStepTable, launcher: TapeLauncher, steps: int, launches: int, waits: int
) -> None:
    begin(recorded, 2)
    launcher.launches = launcher.waits = 0
    recorded.run(2, np.zeros((steps, 2), np.float32))
    assert (launcher.launches, launcher.waits) == (launches, waits)


def test_rows_beyond_the_batch_change_nothing_in_it(recorded: RecordedStepTable) -> None:
    uniforms = np.random.default_rng(3).random((6, 3), np.float32)
    begin(recorded, 3)
    alone = [np.array(part) for part in recorded.run(3, uniforms)]
    begin(recorded, CAPACITY)
    recorded.run(CAPACITY, np.full((4, CAPACITY), 0.7, np.float32))  # row 3 is left with a state and a token
    begin(recorded, 3)
    for ours, theirs in zip(recorded.run(3, uniforms), alone, strict=True):
        assert np.array_equal(ours, theirs)


def test_rows_move_change_places_and_are_written_back(recorded: RecordedStepTable) -> None:
    begin(recorded, 3)
    recorded.run(3, np.full((3, 3), 0.4, np.float32))
    before = [recorded.read(row)[0] for row in range(3)]
    recorded.permute([0, 1], [1, 0])
    recorded.move(2, 4)
    recorded.write(2, before[0])
    for row, source in ((0, 1), (1, 0), (4, 2), (2, 0)):
        for now, then in zip(recorded.read(row)[0], before[source], strict=True):
            assert np.array_equal(now, then)
    assert recorded.columns["token"][4] == recorded.columns["token"][2]


def test_step_that_cannot_be_recorded_is_told_of_and_runs_all_the_same(
    bundle: Bundle,
    module: Callable[..., Any],
    plain: StepTable,
    launcher: TapeLauncher,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def looks(*given: torch.Tensor) -> Any:
        given[0].max().item()
        return module(*given)

    table = RecordedStepTable(looks, bundle.manifest.graphs["step"], CAPACITY, "cpu", launcher)
    (warning,) = caplog.messages
    assert warning.startswith("a step cannot be recorded, and is launched kernel by kernel: operation not permitted")
    uniforms = np.random.default_rng(5).random((4, 3), np.float32)
    begin(table, 3)
    begin(plain, 3)
    for ours, theirs in zip(table.run(3, uniforms), run_as_wide(plain, 3, uniforms), strict=True):
        assert np.array_equal(ours, theirs)
    assert launcher.launches == 0


def test_step_that_reads_a_memory_is_refused(tmp_path: Path, launcher: TapeLauncher) -> None:
    graph = open_bundle(build_tiny_bundle(tmp_path, "translation")).manifest.graphs["step"]
    with pytest.raises(ValueError, match="reads a memory"):
        RecordedStepTable(lambda: None, graph, CAPACITY, "cpu", launcher)
