"""Recording a step as a CUDA graph, so that one launch replays all its kernels."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import torch

_WARM_UP_RUNS = 3
"""Runs before a recording, in which libraries pick and load kernels and reserve workspaces; that cannot be recorded."""

_POOLED_STREAMS = 32
"""Streams of one priority that torch hands out in turn; after so many, the first one comes again."""

Replay = Callable[[], None]


class Launcher(Protocol):
    """Runs work on a device in order, and records work so that it can be launched again as a whole."""

    def ordered(self) -> AbstractContextManager[object]:
        """Everything within runs on the device in the order in which it is asked for; nothing waits for it."""

    def warm_up(self, work: Callable[[], None]) -> None:
        """Runs work some times, so that all is there which a recording of it needs."""

    def record(self, work: Callable[[], None]) -> Replay:
        """Records work on buffers that stay where they are, and that needs nothing but what was warmed up.

        Raises:
            RuntimeError: The work waits for the device, or does something else that cannot be recorded.
        """

    def wait(self) -> None:
        """Waits for everything that was asked for."""


class CudaLauncher:
    """A stream of its own, and CUDA graphs that share one memory pool.

    The graphs may share a pool, in whatever order they are replayed, because they are replayed one at a time and no
    result outlives its replay in the pool: the recorded work writes all of them into buffers from outside.

    One launcher must not be used by two threads at once. Recordings of several launchers must not overlap: one begins
    with a wait for the whole device, which another one would not survive. Models are loaded one after another.
    """

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._recording = _recording_streams.take()
        self._graphs: list[torch.cuda.CUDAGraph] = []
        self._pool = torch.cuda.graph_pool_handle()
        # Weights were copied on the current stream.
        self._stream.wait_stream(torch.cuda.current_stream())
        weakref.finalize(self, _give_up, self._graphs, self._recording).atexit = False

    def ordered(self) -> AbstractContextManager[object]:
        """What is asked for within goes to this launcher's stream."""
        context: AbstractContextManager[object] = torch.cuda.stream(self._stream)
        return context

    def warm_up(self, work: Callable[[], None]) -> None:
        """Runs work on the stream that it will be recorded on."""
        self._recording.wait_stream(self._stream)
        with torch.cuda.stream(self._recording):
            for _ in range(_WARM_UP_RUNS):
                work()
        self._stream.wait_stream(self._recording)

    def record(self, work: Callable[[], None]) -> Replay:
        """Records work as a CUDA graph.

        Raises:
            RuntimeError: It cannot be recorded.
        """
        graph = torch.cuda.CUDAGraph()
        # Other engines go on meanwhile and may allocate; only this thread must keep to what can be recorded.
        with torch.cuda.graph(graph, pool=self._pool, stream=self._recording, capture_error_mode="thread_local"):
            work()
        self._stream.wait_stream(self._recording)
        self._graphs.append(graph)
        return partial(self._replay, len(self._graphs) - 1)

    def wait(self) -> None:
        """Waits for this launcher's stream, and no other."""
        self._stream.synchronize()

    def _replay(self, number: int) -> None:
        self._graphs[number].replay()


Stream = TypeVar("Stream")


class StreamsApart(Generic[Stream]):
    """Streams of the process, each of which one launcher records on at a time.

    Graphs keep the address of a workspace that cuBLAS has for each stream, and torch gives it up with the first graph
    of that stream that goes (pytorch/pytorch#193402). So no two launchers may record on the same one. One that was
    given back is the next that is taken: each stream ever recorded on costs a workspace, 32 MiB on an H100.

    Args:
        draw: Gives the next of the round of streams that torch hands out.
        handle: A stream's number.
    """

    def __init__(self, draw: Callable[[], Stream], handle: Callable[[Stream], int]) -> None:
        self._draw = draw
        self._handle = handle
        self._drawn: set[int] = set()
        self._free: list[Stream] = []

    def take(self) -> Stream:
        """A stream that nobody else has.

        Raises:
            RuntimeError: All are taken.
        """
        if self._free:
            return self._free.pop()
        for _ in range(_POOLED_STREAMS):
            stream = self._draw()
            if self._handle(stream) not in self._drawn:
                self._drawn.add(self._handle(stream))
                return stream
        raise RuntimeError(
            f"{_POOLED_STREAMS} step graphs are loaded on this device, and CUDA graphs of no more than that"
        )

    def give_back(self, stream: Stream) -> None:
        """Lets others have it."""
        self._free.append(stream)


# Streams of high priority come from a round of their own, so no engine's work ever runs into a recording.
_recording_streams: StreamsApart[Any] = StreamsApart(
    lambda: torch.cuda.Stream(priority=-1),  # type: ignore[no-untyped-call]
    lambda stream: int(stream.cuda_stream),
)


def _give_up(graphs: list[torch.cuda.CUDAGraph], stream: torch.cuda.Stream) -> None:
    """Gives a stream back once no graph that was recorded on it is left."""
    graphs.clear()
    _recording_streams.give_back(stream)
