"""Who runs next: a pure scheduler over slots, without threads, clocks or tensors."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar


class Schedulable(Protocol):
    """What the scheduler must know of a stream."""

    @property
    def id(self) -> int:
        """Unique among the streams of the scheduler."""

    @property
    def width(self) -> int:
        """Slots it takes while running."""

    @property
    def deadline(self) -> float:
        """When it must be done."""


S = TypeVar("S", bound=Schedulable)


class Scheduler(Generic[S]):
    """Admits waiting streams into free slots, first come, first served.

    A stream is *waiting*, *running* or *parked*. A parked stream gives its slots up and, once resumed, goes before
    those that have not started. The head of the queue is never overtaken, so a wide stream is not starved by narrow
    ones.

    Args:
        capacity: Slots.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.free = capacity
        self._new: deque[S] = deque()
        self._resumed: deque[S] = deque()
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
        return len(self._alive) - len(self._running) - len(self._parked)

    @property
    def parked(self) -> int:
        """Streams that wait for their reader."""
        return len(self._parked)

    def submit(self, stream: S) -> None:
        """Puts a new stream at the end of the queue; it must fit into the slots at all."""
        if stream.width > self.capacity:
            raise ValueError(f"a stream of width {stream.width} never fits into {self.capacity} slots")
        self._alive[stream.id] = stream
        self._new.append(stream)
        heapq.heappush(self._deadlines, (stream.deadline, stream.id))

    def admit(self) -> Iterator[S]:
        """Moves streams from the queue into free slots, until the next one does not fit."""
        while (stream := self._head()) is not None and stream.width <= self.free:
            (self._resumed or self._new).popleft()
            self._running[stream.id] = stream
            self.free -= stream.width
            yield stream

    def park(self, stream: S) -> None:
        """Takes a running stream out of its slots until it is resumed."""
        del self._running[stream.id]
        self._parked[stream.id] = stream
        self.free += stream.width

    def resume(self, stream_id: int) -> None:
        """Queues a parked stream again; nothing happens to one that is not parked."""
        stream = self._parked.pop(stream_id, None)
        if stream is not None:
            self._resumed.append(stream)

    def remove(self, stream_id: int) -> S | None:
        """Ends a stream, wherever it is; none when it has ended already."""
        stream = self._alive.pop(stream_id, None)
        self._parked.pop(stream_id, None)
        if self._running.pop(stream_id, None) is not None and stream is not None:
            self.free += stream.width
        return stream

    def get(self, stream_id: int) -> S | None:
        """The stream of that id; none when it has ended."""
        return self._alive.get(stream_id)

    def expired(self, now: float) -> Iterator[S]:
        """Yields the streams whose deadline has passed; the caller removes them."""
        while self._deadlines and self._deadlines[0][0] <= now:
            _, stream_id = heapq.heappop(self._deadlines)
            stream = self._alive.get(stream_id)
            if stream is not None:
                yield stream

    def all(self) -> list[S]:
        """Every stream that has not ended."""
        return list(self._alive.values())

    def _head(self) -> S | None:
        """The next stream to run; ended ones are dropped on the way."""
        for queue in (self._resumed, self._new):
            while queue and queue[0].id not in self._alive:
                queue.popleft()
            if queue:
                return queue[0]
        return None
