"""What one run recorded, and the figures drawn from it.

Raw samples in flat arrays, exact percentiles at the end: a run of minutes is some megabytes, recording costs less than
a histogram's bookkeeping, and nothing is rounded to a bucket.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

PERCENTILES = (50.0, 90.0, 99.0)


class Outcome(Enum):
    """How a request ended."""

    DONE = "done"
    REJECTED = "rejected"
    """Refused by a full queue or a draining server: RESOURCE_EXHAUSTED, UNAVAILABLE."""
    FAILED = "failed"


@dataclass(slots=True)
class Recording:
    """The samples of one run; times in seconds.

    Attributes:
        time_to_first_token: Per request that answered, from its intended start to its first message with output.
        inter_token_latency: Per token after a message's predecessor: the gap, shared by the tokens that came with it.
        end_to_end: Per finished request, from its intended start to its last message.
        outcomes: Requests by how they ended.
        tokens: Output tokens that arrived.
        messages: Messages with output that arrived.
        errors: Failures by what they said.
    """

    time_to_first_token: array[float] = field(default_factory=lambda: array("d"))
    inter_token_latency: array[float] = field(default_factory=lambda: array("d"))
    end_to_end: array[float] = field(default_factory=lambda: array("d"))
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    tokens: int = 0
    messages: int = 0
    errors: dict[str, int] = field(default_factory=dict)

    def first(self, seconds: float, tokens: int) -> None:
        """Notes a request's first message with output."""
        self.time_to_first_token.append(seconds)
        self.tokens += tokens
        self.messages += 1

    def more(self, gap: float, tokens: int) -> None:
        """Notes a later message: a gap that brought several tokens counts as that many equal gaps."""
        self.tokens += tokens
        self.messages += 1
        if tokens:
            self.inter_token_latency.extend([gap / tokens] * tokens)

    def done(self, seconds: float) -> None:
        """Notes a finished request."""
        self.end_to_end.append(seconds)
        self.outcomes[Outcome.DONE] += 1

    def ended(self, outcome: Outcome, reason: str) -> None:
        """Notes a request that did not finish."""
        self.outcomes[outcome] += 1
        self.errors[reason] = self.errors.get(reason, 0) + 1


@dataclass(frozen=True, slots=True)
class Distribution:
    """Percentiles of one measure, in seconds; None where nothing was recorded."""

    p50: float | None
    p90: float | None
    p99: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of one run.

    Attributes:
        task: What was asked for.
        concurrency: Requests in flight in closed loop; 0 in open loop.
        rate: Requests begun a second in open loop; None in closed loop.
        seconds: How long it ran, from the first intended start to the last answer.
        time_to_first_token_seconds: From the intended start.
        inter_token_latency_seconds: Between two tokens of a stream, at the client.
        end_to_end_seconds: From the intended start to the last message.
        done: Requests that finished.
        rejected: Requests that the server refused for want of room.
        failed: Requests that failed otherwise.
        requests_per_second: Finished ones.
        tokens_per_second: Output tokens: characters, texts, target tokens.
        messages_per_second: Messages with output.
        errors: Failures by what they said.
    """

    task: str
    concurrency: int
    rate: float | None
    seconds: float
    time_to_first_token_seconds: Distribution
    inter_token_latency_seconds: Distribution
    end_to_end_seconds: Distribution
    done: int
    rejected: int
    failed: int
    requests_per_second: float
    tokens_per_second: float
    messages_per_second: float
    errors: dict[str, int]


def distribution(samples: Sequence[float]) -> Distribution:
    """Percentiles of samples, linear between neighbours."""
    if not len(samples):
        return Distribution(None, None, None, 0)
    p50, p90, p99 = (float(value) for value in np.percentile(np.asarray(samples), PERCENTILES))
    return Distribution(p50, p90, p99, len(samples))


def summarise(recording: Recording, *, task: str, concurrency: int, rate: float | None, seconds: float) -> Result:
    """The figures of a run that took so many seconds."""
    return Result(
        task=task,
        concurrency=concurrency,
        rate=rate,
        seconds=seconds,
        time_to_first_token_seconds=distribution(recording.time_to_first_token),
        inter_token_latency_seconds=distribution(recording.inter_token_latency),
        end_to_end_seconds=distribution(recording.end_to_end),
        done=recording.outcomes[Outcome.DONE],
        rejected=recording.outcomes[Outcome.REJECTED],
        failed=recording.outcomes[Outcome.FAILED],
        requests_per_second=recording.outcomes[Outcome.DONE] / seconds,
        tokens_per_second=recording.tokens / seconds,
        messages_per_second=recording.messages / seconds,
        errors=recording.errors,
    )
