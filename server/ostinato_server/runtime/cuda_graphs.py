"""Recording a step as a CUDA graph, so that one launch replays all its kernels."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Protocol

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

    def record(self, work: Callable[[], None]) -> Replay:
        """Records work on buffers that stay where they are; it has run some times when this returns.

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
        self._recording = _stream_of_its_own(each.recording_stream for each in _live)
        self._pool = torch.cuda.graph_pool_handle()
        # Weights were copied on the current stream.
        self._stream.wait_stream(torch.cuda.current_stream())
        _live.add(self)

    @property
    def recording_stream(self) -> int:
        """Handle of the stream that its graphs were recorded on."""
        return int(self._recording.cuda_stream)

    def ordered(self) -> AbstractContextManager[object]:
        """What is asked for within goes to this launcher's stream."""
        context: AbstractContextManager[object] = torch.cuda.stream(self._stream)
        return context

    def record(self, work: Callable[[], None]) -> Replay:
        """Records work as a CUDA graph.

        Raises:
            RuntimeError: It cannot be recorded.
        """
        self._recording.wait_stream(self._stream)
        with torch.cuda.stream(self._recording):
            for _ in range(_WARM_UP_RUNS):
                work()
        graph = torch.cuda.CUDAGraph()
        # Other engines go on meanwhile and may allocate; only this thread must keep to what can be recorded.
        with torch.cuda.graph(graph, pool=self._pool, stream=self._recording, capture_error_mode="thread_local"):
            work()
        self._stream.wait_stream(self._recording)
        replay: Replay = graph.replay
        return replay

    def wait(self) -> None:
        """Waits for this launcher's stream, and no other."""
        self._stream.synchronize()


# Streams are the process's, so which of them are taken is too.
_live: weakref.WeakSet[CudaLauncher] = weakref.WeakSet()


def _stream_of_its_own(taken: Iterable[int]) -> Any:
    """A stream that no living launcher has recorded on.

    Graphs keep the address of a workspace that cuBLAS has for each stream, and torch gives it up with the first graph
    of that stream that goes (pytorch/pytorch#193402). Streams of high priority come from a pool of their own, so no
    engine's work ever runs into a recording.

    Raises:
        RuntimeError: All are taken.
    """
    return first_untaken(
        lambda: torch.cuda.Stream(priority=-1),  # type: ignore[no-untyped-call]
        lambda stream: int(stream.cuda_stream),
        frozenset(taken),
    )


def first_untaken(draw: Callable[[], Any], handle: Callable[[Any], int], taken: frozenset[int]) -> Any:
    """Draws from torch's round of streams until one comes that is not taken.

    Raises:
        RuntimeError: A whole round is taken.
    """
    for _ in range(_POOLED_STREAMS):
        stream = draw()
        if handle(stream) not in taken:
            return stream
    raise RuntimeError(f"{_POOLED_STREAMS} step graphs are loaded on this device, and CUDA graphs of no more than that")
