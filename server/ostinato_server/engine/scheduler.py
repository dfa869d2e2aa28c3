"""Which streams hold the slots: a pure scheduler, without threads, clocks or tensors."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from ostinato_server.engine.fair_queue import FairQueue, Queued


class Schedulable(Queued, Protocol):
    """What the scheduler must know of a stream."""

    @property
    def width(self) -> int:
        """Slots it takes while running."""

    @property
    def deadline(self) -> float:
        """When it must be done."""


S = TypeVar("S", bound=Schedulable)

MOST_STALE_DEADLINES = 64
"""Deadlines of ended streams that the heap may hold beyond one for each live stream."""


class Scheduler(Generic[S]):
    """Admits waiting streams into free slots, in the order of a `FairQueue`.

    A stream is *waiting*, *running* or *parked*. A parked stream gives its slots up and, once resumed, goes before
    those of its class that have not started. Whose turn it is, is never overtaken for want of slots, so a wide stream
    is not starved by narrow ones.

    Args:
        capacity: Slots.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.free = capacity
        self._slots_of: Counter[str] = Counter()
        self._queue: FairQueue[S] = FairQueue(self._slots_of)
        self._running: dict[int, S] = {}
        self._parked: dict[int, S] = {}
        self._alive: dict[int, S] = {}
        self._deadlines: list[tuple[float, int]] = []

    def __len__(self) -> int:
        """Streams that have not ended."""
        return len(self._alive)

    @property
    def running(self) -> int:
        """Streams that hold slots."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Streams that would run if there were slots."""
        return len(self._queue)

    @property
    def parked(self) -> int:
        """Streams that wait for their reader."""
        return len(self._parked)

    def submit(self, stream: S) -> None:
        """Queues a new stream; it must fit into the slots at all."""
        if stream.width > self.capacity:
            raise ValueError(f"a stream of width {stream.width} never fits into {self.capacity} slots")
        self._alive[stream.id] = stream
        self._queue.push(stream)
        heapq.heappush(self._deadlines, (stream.deadline, stream.id))

    def admit(self) -> Iterator[S]:
        """Moves streams from the queue into free slots, until the next one does not fit."""
        while self.free and (stream := self._queue.head()) is not None and stream.width <= self.free:
            self._queue.pop(stream)
            self._running[stream.id] = stream
            self._slots_of[stream.client] += stream.width
            self.free -= stream.width
            yield stream

    def park(self, stream: S) -> None:
        """Takes a running stream out of its slots until it is resumed."""
        self._release(stream)
        self._parked[stream.id] = stream

    def resume(self, stream_id: int) -> None:
        """Queues a parked stream again; nothing happens to one that is not parked."""
        stream = self._parked.pop(stream_id, None)
        if stream is not None:
            self._queue.push(stream, resumed=True)

    def remove(self, stream_id: int) -> S | None:
        """Ends a stream, wherever it is; none when it has ended already."""
        stream = self._alive.pop(stream_id, None)
        if stream is None:
            return None
        self._forget_stale_deadlines()
        if stream_id in self._running:
            self._release(stream)
        elif self._parked.pop(stream_id, None) is None:
            self._queue.discard(stream)
        return stream

    def get(self, stream_id: int) -> S | None:
        """The stream of that id; none when it has ended."""
        return self._alive.get(stream_id)

    @property
    def next_deadline(self) -> float:
        """The earliest deadline of the streams that have not ended; infinite when there is none."""
        while self._deadlines and self._deadlines[0][1] not in self._alive:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else math.inf

    @property
    def deadlines_kept(self) -> int:
        """Deadlines in memory, of live streams and of some that have ended."""
        return len(self._deadlines)

    def expired(self, now: float) -> Iterator[S]:
        """Yields the streams whose deadline has passed; the caller removes them."""
        while self._deadlines and self._deadlines[0][0] <= now:
            _, stream_id = heapq.heappop(self._deadlines)
            stream = self._alive.get(stream_id)
            if stream is not None:
                yield stream

    def in_slots(self) -> list[S]:
        """Every stream that holds slots."""
        return list(self._running.values())

    def _forget_stale_deadlines(self) -> None:
        """Rebuilds the heap once most of it belongs to streams that have ended: amortised constant time for each."""
        if len(self._deadlines) > 2 * len(self._alive) + MOST_STALE_DEADLINES:
            self._deadlines = [entry for entry in self._deadlines if entry[1] in self._alive]
            heapq.heapify(self._deadlines)

    def _release(self, stream: S) -> None:
        """Takes a running stream's slots back."""
        del self._running[stream.id]
        self.free += stream.width
        self._slots_of[stream.client] -= stream.width
        if not self._slots_of[stream.client]:
            del self._slots_of[stream.client]
