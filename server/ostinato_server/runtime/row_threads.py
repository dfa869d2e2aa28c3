"""Rows of a batch on several threads at once, each thread taking its rows through the whole graph.

Threads that share the work within each operation wait for each other dozens of times a step, and for a thread that the
event loop has pushed off its core each of those times. Rows need nothing of each other, so here they wait once a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NamedTuple, TypeVar

_T = TypeVar("_T")


class Part(NamedTuple):
    """Rows that are next to each other.

    Attributes:
        start: The first.
        stop: The one after the last.
    """

    start: int
    stop: int

    @property
    def rows(self) -> slice:
        """Picks them out of an array."""
        return slice(self.start, self.stop)


class RowThreads:
    """So many threads, the caller's among them.

    Args:
        count: Threads.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._others = ThreadPoolExecutor(count - 1, thread_name_prefix="rows") if count > 1 else None

    def parts(self, rows: int, least: int) -> list[Part]:
        """Rows 0 to rows-1 in parts of about the same size, ``least`` or more, at most one for each thread."""
        number = max(1, min(self.count, rows // least))
        bounds = [rows * index // number for index in range(number + 1)]
        return list(map(Part, bounds, bounds[1:]))

    def run(self, calls: Sequence[Callable[[], _T]]) -> list[_T]:
        """Makes all calls at the same time; they have all ended when it returns or raises.

        Raises:
            Exception: What the first of those that failed has raised.
        """
        if self._others is None or len(calls) == 1:
            return [call() for call in calls]
        futures: list[Future[_T]] = [self._others.submit(call) for call in calls[1:]]
        try:
            first = calls[0]()
        finally:
            wait(futures)  # whatever happened, nobody writes to the buffers any more
        return [first, *(future.result() for future in futures)]
