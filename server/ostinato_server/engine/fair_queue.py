"""Who runs next: by priority class, then the client that runs least, then arrival."""

from __future__ import annotations

from collections import Counter, deque
from typing import Generic, Protocol, TypeVar


class Queued(Protocol):
    """What the queue must know of a stream."""

    @property
    def id(self) -> int:
        """Unique, and rising with arrival."""

    @property
    def priority(self) -> int:
        """Its class; lower goes first."""

    @property
    def client(self) -> str:
        """Whose it is."""


S = TypeVar("S", bound=Queued)


class FairQueue(Generic[S]):
    """Streams that wait for slots.

    Within a class, streams that ran before and are resumed go first, in the order of their return. Of the others, the
    next is the oldest of the client that holds the fewest slots: a client that sends a thousand requests waits behind
    its own, not in front of everybody's.

    Args:
        running: Slots that each client holds; kept by the owner of the slots.
    """

    def __init__(self, running: Counter[str]) -> None:
        self._running = running
        self._classes: dict[int, _Class[S]] = {}
        self._size = 0

    def __len__(self) -> int:
        """Streams that wait."""
        return self._size

    def push(self, stream: S, *, resumed: bool = False) -> None:
        """Puts a stream behind the others of its client, or of those that ran before."""
        self._class_of(stream).push(stream, resumed=resumed)
        self._size += 1

    def discard(self, stream: S) -> None:
        """Takes a waiting stream out, wherever it stands."""
        self._class_of(stream).discard(stream)
        self._size -= 1

    def head(self) -> S | None:
        """The stream whose turn it is."""
        for priority in sorted(self._classes):
            stream = self._classes[priority].head(self._running)
            if stream is not None:
                return stream
            del self._classes[priority]
        return None

    def pop(self, stream: S) -> None:
        """Takes the head out."""
        self._class_of(stream).pop(stream)
        self._size -= 1

    def _class_of(self, stream: S) -> _Class[S]:
        return self._classes.setdefault(stream.priority, _Class())


class _Class(Generic[S]):
    """The waiting streams of one priority."""

    __slots__ = ("_new", "_resumed")

    def __init__(self) -> None:
        self._resumed: deque[S] = deque()
        self._new: dict[str, deque[S]] = {}

    def push(self, stream: S, *, resumed: bool) -> None:
        line = self._resumed if resumed else self._new.setdefault(stream.client, deque())
        line.append(stream)

    def discard(self, stream: S) -> None:
        line = self._resumed if stream in self._resumed else self._new[stream.client]
        line.remove(stream)  # linear, in a queue that admission bounds
        self._forget_empty(stream.client)

    def head(self, running: Counter[str]) -> S | None:
        """The stream whose turn it is."""
        if self._resumed:
            return self._resumed[0]
        return min(
            (line[0] for line in self._new.values()),
            key=lambda stream: (running[stream.client], stream.id),
            default=None,
        )

    def pop(self, stream: S) -> None:
        line = self._resumed if self._resumed and self._resumed[0] is stream else self._new[stream.client]
        line.popleft()
        self._forget_empty(stream.client)

    def _forget_empty(self, client: str) -> None:
        if client in self._new and not self._new[client]:
            del self._new[client]
