"""Counts by model and version, as Triton's ``ModelStatistics`` tells them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ostinato_server.engine.observer import EngineObserver


@dataclass(slots=True)
class Spent:
    """How often, and how long together."""

    count: int = 0
    nanoseconds: int = 0

    def add(self, *seconds: float) -> None:
        """Counts each."""
        self.count += len(seconds)
        self.nanoseconds += round(sum(seconds) * 1e9)


@dataclass(slots=True)
class Counts:
    """What was counted of one version of a model; each number has a single thread that writes it.

    Attributes:
        answered: Requests that were answered; written by the event loop, as are the next two.
        failed: Requests that were not.
        last_ended_ms: When a request ended last, in milliseconds since 1970; 0 before the first.
        queued: Streams and texts that got a slot, and their wait; written by the engine, as are the next two.
        executed: Steps, or runs of a classifier.
        batches: The same by size.
    """

    answered: Spent = field(default_factory=Spent)
    failed: Spent = field(default_factory=Spent)
    last_ended_ms: int = 0
    queued: Spent = field(default_factory=Spent)
    executed: Spent = field(default_factory=Spent)
    batches: dict[int, Spent] = field(default_factory=dict)


class Statistics:
    """Counts of every model.

    Args:
        wall_clock: Seconds since 1970.
    """

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._counts: dict[tuple[str, int], Counts] = {}

    def of(self, name: str, version: int) -> Counts:
        """The counts of a model, from its first mention on."""
        return self._counts.setdefault((name, version), Counts())

    def request_ended(self, name: str, version: int, outcome: str, seconds: float) -> None:
        """A request ended, ``ok`` or otherwise."""
        counts = self.of(name, version)
        (counts.answered if outcome == "ok" else counts.failed).add(seconds)
        counts.last_ended_ms = round(self._wall_clock() * 1000)

    def observe(self, name: str, version: int, observer: EngineObserver) -> EngineObserver:
        """An observer that counts, and passes on to another."""
        return _CountingObserver(self.of(name, version), observer)


class _CountingObserver:
    """Counts what an engine reports and passes it on."""

    def __init__(self, counts: Counts, observer: EngineObserver) -> None:
        self._counts = counts
        self._observer = observer
        self.read_prompt = observer.read_prompt
        self.first_token = observer.first_token
        self.load = observer.load
        self.failed = observer.failed
        self.ended = observer.ended

    def admitted(self, queue_seconds: float, trace_id: str) -> None:
        """A request got a slot."""
        self._counts.queued.add(queue_seconds)
        self._observer.admitted(queue_seconds, trace_id)

    def stepped(self, batch: int, seconds: Sequence[float], generated: int, gaps: NDArray[np.float64]) -> None:
        """Steps were made."""
        self._counts.executed.add(*seconds)
        self._counts.batches.setdefault(batch, Spent()).add(*seconds)
        self._observer.stepped(batch, seconds, generated, gaps)
