"""What goes to the event loop, and when: at once while few streams run, several tokens in a message under load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ostinato_server.engine.request import Finished, GeneratedToken

MESSAGE_SECONDS = 500e-6
"""Time between messages, for each stream that gets one.

A message costs the event loop about 100 µs of Python and its client more than half as much, on cores that the engine
needs too. At 64 streams this makes a message of some 14 characters 30 times a second. With 200 µs it was one of 7
characters 70 times a second, and a sixth fewer characters.
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one stream is given: tokens, and how it ended if it has."""

    stream_id: int
    tokens: Sequence[GeneratedToken]
    end: Finished | Exception | None = None


class Outbox:
    """Holds tokens back while the last messages are still being paid for.

    The first token of a stream and its end are never held back, and one stream alone is never held back for longer
    than a message takes.

    Args:
        message_seconds: Time granted for each message.
    """

    def __init__(self, message_seconds: float = MESSAGE_SECONDS) -> None:
        self._message_seconds = message_seconds
        self._held: dict[int, list[GeneratedToken]] = {}
        self._urgent: list[Delivery] = []
        self._paid_at = 0.0

    def add(self, stream_id: int, tokens: Sequence[GeneratedToken], *, first: bool) -> None:
        """Takes tokens of a stream; ``first`` ones go out with the next deliveries."""
        if first:
            self._urgent.append(Delivery(stream_id, tokens))
        else:
            self._held.setdefault(stream_id, []).extend(tokens)

    def end(self, stream_id: int, tokens: Sequence[GeneratedToken], end: Finished | Exception) -> None:
        """Takes the last tokens of a stream and how it ended; all it has goes out with the next deliveries."""
        self._urgent.append(Delivery(stream_id, [*self._held.pop(stream_id, ()), *tokens], end))

    def forget(self, stream_id: int) -> None:
        """Drops what a stream still has, its reader being gone."""
        self._held.pop(stream_id, None)

    @property
    def paid_at(self) -> float:
        """When the last messages are paid for: tokens that are held back go out with the first step after that."""
        return self._paid_at

    def due(self, now: float, *, idle: bool) -> list[Delivery]:
        """Takes out what is to be delivered now.

        Args:
            now: Seconds, monotonic.
            idle: Whether no step follows, so that holding back would gain nothing.
        """
        deliveries, self._urgent = self._urgent, []
        if self._held and (idle or now >= self._paid_at):
            self._paid_at = now + self._message_seconds * len(self._held)
            deliveries += [Delivery(stream_id, tokens) for stream_id, tokens in self._held.items()]
            self._held = {}
        return deliveries
