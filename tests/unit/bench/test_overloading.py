"""Goodput, capacity and their shares."""

from __future__ import annotations

import pytest

from ostinato_bench.commands.overload import verdicts
from ostinato_bench.overloading import Point, capacity, point, shares_of_peak
from ostinato_bench.recording import Recording
from ostinato_bench.refusals import Ending


def measured(good: int, *, factor: float = 2.0, hint: float | None = 1.0) -> Point:
    """Ten seconds: so many good requests once settled, one before, one late, one expired, one refused."""
    recording = Recording(10.0)
    recording.done(1.0, 0.5)
    for _ in range(good):
        recording.done(5.0, 0.5)
    recording.done(6.0, 1.5)
    recording.done(11.0, 0.5)
    recording.ended(Ending(False, "DEADLINE_EXCEEDED (DEADLINE_EXPIRED)", None), 1.0)
    recording.ended(Ending(True, "RESOURCE_EXHAUSTED", hint), 0.06)
    return point(recording, factor=factor, rate=20.0, deadline=1.0, task="generate")


def test_goodput_is_what_is_done_in_time_while_the_load_is_on_and_settled() -> None:
    found = measured(16)
    assert found.goodput == 2.0
    assert found.late == 2
    assert (found.result.done, found.result.rejected, found.result.failed) == (19, 1, 1)


def test_a_refusal_for_the_deadline_is_no_late_answer() -> None:
    recording = Recording(10.0)
    recording.ended(Ending(True, "DEADLINE_EXCEEDED", 1.0), 0.01)
    assert point(recording, factor=2, rate=20.0, deadline=1.0, task="generate").late == 0


def test_shares_are_of_the_highest() -> None:
    assert shares_of_peak([measured(16), measured(8)]) == [1.0, 0.5]
    assert shares_of_peak([]) == []


def test_capacity_counts_requests_that_are_half_done_as_half() -> None:
    recording = Recording(2.0)
    for at in (1.0, 2.0, 3.0):
        recording.arrived(at, 10, first=at)
    recording.done(3.0, 3.0)  # 20 of its 30 tokens within the 2 s
    assert capacity(recording) == pytest.approx(1 / 3)
    assert capacity(Recording(2.0)) == 0


def test_what_misses_its_aim_is_told() -> None:
    told = verdicts([measured(16, factor=1.0), measured(8, factor=5.0, hint=None)])
    assert [line for line in told if line.startswith("missed: goodput")] == [
        "missed: goodput at 5 x capacity is 50% of its peak, under 90 %"
    ]
    assert "missed: at 5 x capacity 0% come with a RetryInfo" in told
    assert "missed: at 5 x capacity 1 % of refusals take 60 ms or more, over 50" in told
    assert "missed: at 5 x capacity 2 were let in and not done by the deadline" in told
