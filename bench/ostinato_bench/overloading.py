"""Goodput under overload: what a load over capacity does to the requests that are served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ostinato_bench.recording import Outcome, Recording
from ostinato_bench.statistics import Result, summarise

EXPIRED = "DEADLINE_EXCEEDED"
SETTLING_SHARE = 0.2
"""Of a run, until queues are as long as they get; not counted in goodput."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One offered load.

    Attributes:
        factor: As a multiple of capacity.
        offered: Requests begun a second.
        goodput: Requests a second that finished within the deadline, once the run had settled.
        late: Requests that were let in and not finished within the deadline: those that finished after it, and those
            that it ended.
        result: The run's figures.
    """

    factor: float
    offered: float
    goodput: float
    late: int
    result: Result


def point(recording: Recording, *, factor: float, rate: float, deadline: float, task: str) -> Point:
    """The figures of an open loop against a deadline in seconds."""
    latencies = np.asarray(recording.end_to_end)
    ends = np.asarray(recording.finished_at)
    settled = SETTLING_SHARE * recording.window
    in_time = latencies <= deadline
    counted = in_time & (ends > settled) & (ends <= recording.window)
    expired = sum(count for reason, count in recording.reasons.items() if reason.startswith(EXPIRED))
    expired = min(expired, recording.outcomes[Outcome.FAILED])  # one that came with a RetryInfo was a refusal
    return Point(
        factor=factor,
        offered=rate,
        goodput=float(np.count_nonzero(counted)) / (recording.window - settled),
        late=int(np.count_nonzero(~in_time)) + expired,
        result=summarise(recording, task=task, rate=rate),
    )


def capacity(recording: Recording) -> float:
    """Requests a second that a closed loop finishes, from the output that arrived while it was on.

    Whole requests would not do: those that run when the load ends are as good as done.
    """
    done = recording.outcomes[Outcome.DONE]
    return recording.tokens / recording.window * done / recording.all_tokens if recording.all_tokens else 0.0


def shares_of_peak(points: Sequence[Point]) -> list[float]:
    """Each load's goodput as a share of the highest."""
    peak = max((each.goodput for each in points), default=0.0)
    return [each.goodput / peak if peak else 0.0 for each in points]
