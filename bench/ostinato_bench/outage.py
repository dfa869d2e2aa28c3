"""The figures of a failover: wrong characters, errors, and how long readers saw nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ostinato_bench.readers import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What an event did to streams.

    Attributes:
        streams: Streams that were read.
        resumed: Streams that were resumed at least once.
        resumptions: Resumptions of all streams.
        errors: Streams that ended with an error.
        reasons: The errors, counted.
        wrong_characters: Characters that differ from the undisturbed text of the same seed, and those that a finished
            stream lacks or has too many.
        characters: Characters that came.
        longest_silence_seconds: The longest time without a character of any stream that was unfinished at the event;
            a silence that the event interrupts counts from its beginning.
        longest_silence_before_seconds: The same from each stream's first character to the event.
        unfinished_at_event: Streams that had not ended at the event.
        seconds: From the first stream's beginning to the last one's end.
        characters_per_second: Of all streams together.
    """

    streams: int
    resumed: int
    resumptions: int
    errors: int
    reasons: dict[str, int]
    wrong_characters: int
    characters: int
    longest_silence_seconds: float
    longest_silence_before_seconds: float
    unfinished_at_event: int
    seconds: float
    characters_per_second: float


def outage(readings: Sequence[Reading], undisturbed: Sequence[Reading], event: float) -> Outage:
    """Compares streams with the undisturbed streams of the same seeds, in the same order.

    Args:
        readings: The streams around the event; at least one.
        undisturbed: The same streams without it.
        event: When it began, on the clock of the readings.
    """
    seconds = max(each.ended for each in readings) - min(each.began for each in readings)
    characters = sum(len(each.text) for each in readings)
    return Outage(
        streams=len(readings),
        resumed=sum(each.resumptions > 0 for each in readings),
        resumptions=sum(each.resumptions for each in readings),
        errors=sum(each.error is not None for each in readings),
        reasons=dict(Counter(each.error for each in readings if each.error is not None)),
        wrong_characters=sum(
            wrong_characters(each.text, whole.text, finished=each.error is None)
            for each, whole in zip(readings, undisturbed, strict=True)
        ),
        characters=characters,
        longest_silence_seconds=max((silence_after(each, event) for each in readings), default=0.0),
        longest_silence_before_seconds=max((silence_before(each, event) for each in readings), default=0.0),
        unfinished_at_event=sum(each.ended > event for each in readings),
        seconds=seconds,
        characters_per_second=characters / seconds if seconds else 0.0,
    )


def wrong_characters(text: str, whole: str, *, finished: bool) -> int:
    """Characters of a text that are not those of the whole; what is missing counts if the stream finished."""
    wrong = sum(one != other for one, other in zip(text, whole, strict=False))
    missing, extra = max(0, len(whole) - len(text)), max(0, len(text) - len(whole))
    return wrong + extra + (missing if finished else 0)


def silence_after(reading: Reading, event: float) -> float:
    """The longest gap, in seconds, that ends after the event; 0 for a stream that had ended."""
    return _longest((reading.began, *reading.arrivals, reading.ended), lambda end: end > event)


def silence_before(reading: Reading, event: float) -> float:
    """The longest gap, in seconds, between characters that came before the event."""
    return _longest(reading.arrivals, lambda end: end <= event)


def _longest(times: Iterable[float], counts: Callable[[float], bool]) -> float:
    return max((end - start for start, end in pairwise(times) if counts(end)), default=0.0)
