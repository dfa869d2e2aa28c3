"""The figures of a failover, from what readers saw."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import pytest

from ostinato_bench.outage import outage, silence_after, silence_before, wrong_characters
from ostinato_bench.readers import Reading


def reading(
    text: str, arrivals: Sequence[float], *, ended: float, error: str | None = None, resumptions: int = 0
) -> Reading:
    return Reading(1, 0.0, text, array("d", arrivals), ended, resumptions, error)


@pytest.mark.parametrize(
    ("text", "finished", "wrong"),
    [("abcd", True, 0), ("abxd", True, 1), ("abc", True, 1), ("abc", False, 0), ("abcde", False, 1), ("", True, 4)],
)
def test_characters_are_compared_one_by_one(text: str, finished: bool, wrong: int) -> None:
    assert wrong_characters(text, "abcd", finished=finished) == wrong


def test_a_silence_that_the_event_interrupts_counts_from_its_beginning() -> None:
    stream = reading("abc", [1.0, 2.0, 7.0], ended=7.5)
    assert silence_after(stream, 4.0) == 5.0
    assert silence_before(stream, 4.0) == 1.0


def test_a_stream_that_ended_before_the_event_was_not_silent_after_it() -> None:
    assert silence_after(reading("abc", [1.0, 2.0], ended=3.0), 4.0) == 0.0


def test_a_stream_that_failed_was_silent_until_it_failed() -> None:
    assert silence_after(reading("ab", [1.0, 2.0], ended=12.0, error="Unavailable: gone"), 2.5) == 10.0


def test_streams_are_summed_up() -> None:
    whole = [reading("abcd", [1.0, 2.0], ended=2.0)] * 3
    found = outage(
        [
            reading("abcd", [1.0, 4.0], ended=5.0, resumptions=2),
            reading("abxd", [1.0, 3.5], ended=4.0),
            reading("ab", [1.0], ended=2.5, error="Unavailable: gone"),
        ],
        whole,
        event=2.0,
    )
    assert (found.streams, found.resumed, found.resumptions, found.unfinished_at_event) == (3, 1, 2, 3)
    assert (found.errors, found.reasons) == (1, {"Unavailable: gone": 1})
    assert (found.wrong_characters, found.characters) == (1, 10)
    assert (found.longest_silence_seconds, found.longest_silence_before_seconds) == (3.0, 0.0)
    assert (found.seconds, found.characters_per_second) == (5.0, 2.0)
