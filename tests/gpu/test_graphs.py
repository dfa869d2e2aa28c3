"""A replayed CUDA graph does what its operations do one by one, and two tables do not disturb each other."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.gpu.streams import begin, single_steps, states

from ostinato_bundle import Bundle
from ostinato_server.runtime.base import StepTable
from ostinato_server.runtime.cuda_graphs import CudaLauncher, Replay
from ostinato_server.runtime.recorded import RecordedStepTable
from ostinato_server.runtime.torchscript import TorchScriptBackend

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("torch_on_cuda")]

CAPACITY = 40


class Eager(CudaLauncher):
    """Records nothing."""

    def record(self, work: Callable[[], None]) -> Replay:
        return work


def table_of(bundle: Bundle, launcher: type[CudaLauncher]) -> RecordedStepTable:
    module = TorchScriptBackend(bundle, "cuda", 1)._load("step")
    return RecordedStepTable(module, bundle.manifest.graphs["step"], CAPACITY, "cuda", launcher())


@pytest.mark.parametrize("count", [1, 2, 7, 16, 33, CAPACITY])
def test_replay_gives_what_eager_steps_give(generation: Bundle, count: int) -> None:
    uniforms = np.random.default_rng(1).random((10, count), np.float32)
    given = []
    for launcher in (CudaLauncher, Eager):
        table = table_of(generation, launcher)
        begin(table, count)
        given.append((single_steps(table, count, uniforms), states(table, count)))
    for ours, theirs in zip(given[0][0], given[1][0], strict=True):
        for name, array in theirs.items():
            np.testing.assert_array_equal(ours[name], array)
    for here, there in zip(given[0][1], given[1][1], strict=True):
        np.testing.assert_array_equal(here, there)


def test_rungs_are_replayed_in_any_order(generation: Bundle) -> None:
    table = table_of(generation, CudaLauncher)
    uniforms = np.random.default_rng(2).random((3, CAPACITY), np.float32)
    first: dict[int, list[int]] = {}
    for count in (40, 1, 16, 3, 40, 16, 1, 3):
        begin(table, count)
        tokens = table.run(count, uniforms[:, :count])[0].ravel().tolist()
        assert first.setdefault(count, tokens) == tokens


def run_often(table: StepTable, count: int, found: list[list[int]]) -> None:
    uniforms = np.random.default_rng(3).random((16, count), np.float32)
    for _ in range(50):
        begin(table, count)
        found.append(table.run(count, uniforms)[0].ravel().tolist())


def test_tables_on_two_threads_do_not_disturb_each_other_while_a_third_is_recorded(generation: Bundle) -> None:
    tables = [table_of(generation, CudaLauncher) for _ in range(2)]
    results: list[list[list[int]]] = [[], []]
    threads = [
        threading.Thread(target=run_often, args=(table, 12 + number, found))
        for number, (table, found) in enumerate(zip(tables, results, strict=True))
    ]
    for thread in threads:
        thread.start()
    third = table_of(generation, CudaLauncher)
    for thread in threads:
        thread.join()
    run_often(third, 12, results[0])
    assert [len(found) for found in results] == [100, 50]
    assert [len({tuple(tokens) for tokens in found}) for found in results] == [1, 1]


def test_table_goes_on_after_another_one_is_gone(generation: Bundle) -> None:
    kept = table_of(generation, CudaLauncher)
    before: list[list[int]] = []
    run_often(kept, 5, before)
    for _ in range(40):  # more than torch has streams
        table_of(generation, CudaLauncher)
        torch.cuda.empty_cache()
    after: list[list[int]] = []
    run_often(kept, 5, after)
    assert before == after
