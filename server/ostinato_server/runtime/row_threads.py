"""Rows of a batch on several threads at once, each thread taking its rows through the whole graph.

Threads that share the work within each operation wait for each other dozens of times a step, and for a thread that the
event loop has pushed off its core each of those times. Rows need nothing of each other, so here they wait once a run.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

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


class _Outcome(NamedTuple):
    """What a call gave, or what it raised."""

    result: Any
    error: BaseException | None = None


class _Helper:
    """A thread that makes one call at a time, until nobody has a use for it any more.

    Two queues and nothing else, since whatever Python does between two runs is a chance to lose the interpreter to the
    event loop: with the standard library's thread pool 64 streams had 7 % fewer characters.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._outcomes: SimpleQueue[_Outcome] = SimpleQueue()
        threading.Thread(target=_make_calls, args=(self._calls, self._outcomes), name="rows", daemon=True).start()
        weakref.finalize(self, self._calls.put, None)

    def begin(self, call: Callable[[], Any]) -> None:
        """Hands a call over."""
        self._calls.put(call)

    def outcome(self) -> _Outcome:
        """Waits for the end of the call."""
        return self._outcomes.get()


def _make_calls(calls: SimpleQueue[Callable[[], Any] | None], outcomes: SimpleQueue[_Outcome]) -> None:
    while (call := calls.get()) is not None:
        try:
            outcomes.put(_Outcome(call()))
        except BaseException as error:  # the caller's to deal with, whatever it is
            outcomes.put(_Outcome(None, error))


class RowThreads:
    """So many threads, the caller's among them; used by one caller at a time.

    Args:
        count: Threads.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._helpers = [_Helper() for _ in range(count - 1)]

    def parts(self, rows: int, least: int) -> list[Part]:
        """Rows 0 to rows-1 in parts of about the same size, ``least`` or more, at most one for each thread."""
        number = max(1, min(self.count, rows // least))
        bounds = [rows * index // number for index in range(number + 1)]
        return list(map(Part, bounds, bounds[1:]))

    def run(self, calls: Sequence[Callable[[], _T]]) -> list[_T]:
        """Makes calls at the same time, at most one for each thread; they have all ended when it returns or raises.

        Raises:
            BaseException: What the first of those that failed has raised.
        """
        busy = list(zip(self._helpers[: len(calls) - 1], calls[1:], strict=True))
        for helper, call in busy:
            helper.begin(call)
        try:
            first = calls[0]()
        finally:
            outcomes = [helper.outcome() for helper, _ in busy]
        for outcome in outcomes:
            if outcome.error is not None:
                raise outcome.error
        return [first, *(outcome.result for outcome in outcomes)]
