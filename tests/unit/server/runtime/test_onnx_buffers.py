"""State and memory that lie elsewhere than their rows are written: the runtime's own values stand in for a device's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from tests.bundles import build_tiny_bundle

from ostinato_bundle import Bundle, open_bundle
from ostinato_server.errors import DeviceUnavailable
from ostinato_server.runtime import onnx as runtime
from ostinato_server.runtime import select
from ostinato_server.runtime.onnx import LEAST_RUN_ROWS, LEAST_STEP_ROWS, LEAST_TEXTS, OnnxBackend, OnnxStepTable
from ostinato_server.runtime.onnx_buffers import Buffers, DeviceBuffers, HostBuffers
from ostinato_server.runtime.onnx_given import DeviceBlocks, DeviceGiven
from ostinato_server.runtime.onnx_state import DeviceState
from ostinato_server.runtime.row_threads import RowThreads
from ostinato_server.runtime.select import open_backend

CAPACITY = 4
ROWS: list[tuple[int, ...]] = [(3,), (2,)]


class Counted(DeviceState):
    """Notes what crosses."""

    def __init__(self, rows: Sequence[tuple[int, ...]]) -> None:
        super().__init__(rows, CAPACITY, "cpu")
        self.back = 0

    def settle(self) -> None:
        self.back += self._newer
        super().settle()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    build_tiny_bundle(folder, "generation")
    build_tiny_bundle(folder, "translation")
    return folder


@pytest.fixture
def generation(repository: Path) -> Bundle:
    return open_bundle(repository / "char-lm" / "1")


class Watched(RowThreads):
    """Notes in how many parts it took the rows."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.parts_taken: list[int] = []

    def run(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        self.parts_taken.append(len(calls))
        return super().run(calls)


class Elsewhere(DeviceBuffers):
    """Copies that are on the host too, since a test has no device; the state notes what crosses."""

    def __init__(self) -> None:
        super().__init__("cpu")

    def state(self, rows: Sequence[tuple[int, ...]], capacity: int) -> DeviceState:
        assert capacity == CAPACITY
        self.counted = Counted(rows)
        return self.counted


def table_with(bundle: Bundle, buffers: Buffers) -> OnnxStepTable:
    backend = OnnxBackend(bundle, "onnx", "cpu", 1)
    graph = bundle.manifest.graphs["step"]
    session, multi_step = backend._session("step"), backend._multi_step("step", graph)
    return OnnxStepTable(session, multi_step, graph, CAPACITY, RowThreads(1), buffers)


def held(state: DeviceState, side: int) -> list[Any]:
    return [value.numpy().tolist() for value in state._sides[side]]


def test_what_was_written_is_on_the_device_once_it_is_settled() -> None:
    state = DeviceState(ROWS, CAPACITY, "cpu")
    state.changed()[0][1] = 5.0
    assert held(state, 0)[0][1] == [0.0] * 3
    state.settle()
    assert held(state, 0)[0][1] == [5.0] * 3
    assert held(state, 1)[0][1] == [0.0] * 3


def test_what_was_only_looked_at_does_not_go_back() -> None:
    state = Counted(ROWS)
    state.seen()
    state.settle()
    assert state.back == 0


def test_after_a_step_the_other_set_is_seen_anew() -> None:
    state = DeviceState(ROWS, CAPACITY, "cpu")
    assert not state.seen()[1].any()
    state._sides[1][1].update_inplace(np.full((CAPACITY, 2), 4, np.float32))
    state.turn()
    assert state.seen()[1].tolist() == [[4.0, 4.0]] * CAPACITY
    assert (state.side, state.places(0), state.places(1)) == (1, state.places(0), state.places(1))


def test_blocks_follow_what_they_copy() -> None:
    arrays = [np.ones((2, 3), np.float32)]
    blocks = DeviceBlocks(arrays, "cpu")
    where = blocks.places
    arrays[0][1] = 7
    assert blocks._values[0].numpy().tolist() == [[1.0] * 3] * 2
    blocks.follow(arrays)
    assert blocks._values[0].numpy().tolist() == [[1.0] * 3, [7.0] * 3]
    assert blocks.places == where


def test_what_is_given_crosses_when_it_is_sent_and_all_of_it_together() -> None:
    given = DeviceGiven([((3,), np.int64), ((2, 3), np.float32)], "cpu")
    places = list(given.places)
    given.arrays[0][:] = 5
    given.arrays[1][1] = 0.5
    assert not given._value.numpy().any()
    given.send()
    sent = given._value.numpy()
    assert sent[:24].view(np.int64).tolist() == [5, 5, 5]
    at = given.places[1].address - given.places[0].address
    assert sent[at : at + 24].view(np.float32).tolist() == [0.0] * 3 + [0.5] * 3
    assert (given.places, [where.row for where in places]) == (places, [(), (3,)])


def test_streams_come_and_go_alike_wherever_their_state_lies(generation: Bundle) -> None:
    rows = [tensor.shape[1:] for tensor in generation.manifest.graphs["step"].state]
    elsewhere = Elsewhere()
    uniforms = np.random.default_rng(1).random((5, 3), np.float32)
    given = []
    for table in (table_with(generation, HostBuffers()), table_with(generation, elsewhere)):
        for row in range(3):
            table.write(row, ())
            for name, value in {"token": 3 + row, "temperature": 0.9, "top_k": 0, "top_p": 1.0}.items():
                table.columns[name][row] = value
        found = [np.array(part) for part in table.run(3, uniforms)]
        table.permute([0, 1], [1, 0])
        table.move(2, 3)
        state, _ = table.read(0)
        table.write(2, state)
        table.columns["uniform"][:] = 0.3
        for _ in range(2):
            results = {name: array.copy() for name, array in table.step(CAPACITY).items()}
            table.columns["token"][:] = results["next_token"]
            found += results.values()
        found += [np.stack([table.read(row)[0][index] for row in range(CAPACITY)]) for index in range(len(rows))]
        given.append(found)
    for ours, theirs in zip(*given, strict=True):
        assert np.array_equal(ours, theirs)
    assert elsewhere.counted.back == 2  # for three streams that joined, and for all that followed


def test_memory_is_the_same_wherever_it_lies(repository: Path) -> None:
    bundle = open_bundle(repository / "translation-en-fr" / "1")
    graph = bundle.manifest.graphs["step"]
    session = OnnxBackend(bundle, "onnx", "cpu", 1)._session("step")
    random = np.random.default_rng(2)
    sources = [
        [random.standard_normal((length, *tensor.shape[2:]), np.float32) for tensor in graph.memory]
        for length in (3, 20, 5)
    ]
    given = []
    for buffers in (HostBuffers(), Elsewhere()):
        table = OnnxStepTable(session, None, graph, CAPACITY, RowThreads(1), buffers)
        found = []
        for row, source in enumerate(sources):
            table.write(row, (), source)
            table.columns["lengths"][row] = len(source[0])
            found += [array.copy() for array in table.step(row + 1).values()]
        table.move(2, 0)
        found += [array.copy() for array in table.step(2).values()]
        given.append(found)
    for ours, theirs in zip(*given, strict=True):
        assert np.array_equal(ours, theirs)


def test_session_that_fell_back_to_the_cpu_is_refused(generation: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(runtime._PROVIDERS, "cuda", runtime._PROVIDERS["cpu"])
    with pytest.raises(DeviceUnavailable, match="CUDA provider does not start"):
        OnnxBackend(generation, "onnx", "cuda", 1).graph("prefill")


def test_runtime_built_for_cuda_on_a_machine_without_it_runs_on_the_cpu(
    generation: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_for = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: built_for)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(select, "_torch_sees_cuda", lambda: False)

    def no_device(*_: object) -> None:
        raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected")

    monkeypatch.setattr(onnxruntime.OrtValue, "ortvalue_from_shape_and_type", no_device)
    assert open_backend(generation, "auto", "onnx", 1).device == "cpu"
    with pytest.raises(DeviceUnavailable, match="no CUDA device is visible"):
        open_backend(generation, "cuda", "onnx", 1)
    monkeypatch.setattr(onnxruntime.OrtValue, "ortvalue_from_shape_and_type", lambda *_: object())
    assert open_backend(generation, "auto", "onnx", 1).device == "cuda"


def test_threads_share_the_rows_of_a_step_a_run_and_a_whole_graph(generation: Bundle) -> None:
    backend = OnnxBackend(generation, "onnx", "cpu", 2)
    threads = backend._threads = Watched(2)
    table = backend.step_table("step", 2 * LEAST_STEP_ROWS)
    for rows in (2 * LEAST_STEP_ROWS - 1, 2 * LEAST_STEP_ROWS):
        table.step(rows)
    for rows in (2 * LEAST_RUN_ROWS - 1, 2 * LEAST_RUN_ROWS):
        table.run(rows, np.zeros((3, rows), np.float32))
    reader = backend.graph("prefill")
    for rows in (2 * LEAST_TEXTS - 1, 2 * LEAST_TEXTS):
        states = {
            tensor.name: np.zeros((rows, *tensor.shape[1:]), np.float32)
            for tensor in generation.manifest.graphs["prefill"].state
        }
        reader.run({"tokens": np.ones((rows, 2), np.int64), **states})
    assert threads.parts_taken == [1, 2] * 3
