"""The figures drawn from a recording."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ostinato_bench.recording import Outcome, Recording

PERCENTILES = (50.0, 90.0, 99.0, 99.9, 100.0)

BUSY_LOOP = 0.8
"""Share of a core from which an event loop delays what it measures."""

LATE_LOOP_SECONDS = 0.01
"""A generator that is later than this, at the 99th percentile, blurs what it measures."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Percentiles of one measure, in seconds; None where nothing was recorded."""

    p50: float | None
    p90: float | None
    p99: float | None
    p999: float | None
    max: float | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The figures of one run.

    Attributes:
        task: What was asked for.
        loop: ``closed`` or ``open``.
        concurrency: Requests in flight in closed loop; None in open loop.
        rate: Requests begun a second in open loop; None in closed loop.
        seconds: How long it ran, from the start to the last answer.
        time_to_first_token_seconds: From the intended start.
        inter_token_latency_seconds: Between two tokens of a stream, at the client: a gap is shared by the tokens that
            came with the message that ended it.
        inter_message_latency_seconds: Between two messages of a stream, at the client.
        end_to_end_seconds: From the intended start to the end of the stream.
        done: Requests that finished.
        rejected: Requests that the server refused for want of room.
        failed: Requests that failed otherwise.
        reasons: Those that did not finish, by the status.
        refusal_seconds: From the intended start to the refusal.
        retry_hint_share: Share of the rejections that said when to come back; None without rejections.
        retry_hint_seconds: What they said.
        requests_per_second: Requests that finished while the load was on.
        tokens_per_second: Output tokens that arrived while the load was on: characters, texts, target tokens.
        messages_per_second: Messages with output that arrived while the load was on.
        start_delay_seconds: How long after its intended start a request began; all 0 in closed loop.
        generator_lag_seconds: How late the generator woke up.
        generator_cpu_share: Processor time of the generators over the run's time: 1 is a core.
        generator_loop_share: The same of the busiest generator's event loop: 1 is saturated.
    """

    task: str
    loop: str
    concurrency: int | None
    rate: float | None
    seconds: float
    time_to_first_token_seconds: Distribution
    inter_token_latency_seconds: Distribution
    inter_message_latency_seconds: Distribution
    end_to_end_seconds: Distribution
    done: int
    rejected: int
    failed: int
    reasons: dict[str, int]
    refusal_seconds: Distribution
    retry_hint_share: float | None
    retry_hint_seconds: Distribution
    requests_per_second: float
    tokens_per_second: float
    messages_per_second: float
    start_delay_seconds: Distribution
    generator_lag_seconds: Distribution
    generator_cpu_share: float
    generator_loop_share: float

    @property
    def label(self) -> str:
        """The load in a few words."""
        return f"{self.rate:g}/s" if self.rate is not None else f"{self.concurrency} in flight"

    @property
    def blurred(self) -> str | None:
        """What is wrong with the generator in this run; None where it kept up."""
        if self.generator_loop_share >= BUSY_LOOP:
            return f"the load generator is saturated ({self.generator_loop_share:.0%} of a core)"
        late = max(self.generator_lag_seconds.p99 or 0.0, self.start_delay_seconds.p99 or 0.0)
        if late >= LATE_LOOP_SECONDS:
            return f"the load generator is late (p99 {late * 1000:.0f} ms): processors are short"
        return None


def distribution(samples: ArrayLike, weights: Sequence[int] | None = None) -> Distribution:
    """Percentiles of samples as HdrHistogram has them: the least sample that so many percent do not exceed.

    Args:
        samples: The samples.
        weights: How many times each of them counts; once when None.
    """
    values = np.asarray(samples, dtype=np.float64)
    if weights is not None:
        values = np.repeat(values, np.asarray(weights, dtype=np.int64))
    if not len(values):
        return Distribution(None, None, None, None, None, 0)
    values = np.sort(values)
    # Rounded, since 99.9 % of 2,000 is 1998.0000000000002 in floating point.
    ranks = [max(math.ceil(round(len(values) * percent / 100, 6)), 1) for percent in PERCENTILES]
    p50, p90, p99, p999, most = (float(values[rank - 1]) for rank in ranks)
    return Distribution(p50, p90, p99, p999, most, len(values))


def shared_gaps(recording: Recording) -> Distribution:
    """Between two tokens of a stream: a gap that brought several tokens counts as that many equal gaps."""
    tokens = np.asarray(recording.gap_tokens, dtype=np.int64)
    return distribution(np.asarray(recording.gaps) / np.maximum(tokens, 1), recording.gap_tokens)


def in_window(recording: Recording) -> int:
    """Requests that finished while the load was on."""
    return int(np.count_nonzero(np.asarray(recording.finished_at) <= recording.window))


def summarise(recording: Recording, *, task: str, concurrency: int | None = None, rate: float | None = None) -> Result:
    """The figures of a run, in closed loop with a concurrency or in open loop with a rate."""
    rejected = recording.outcomes[Outcome.REJECTED]
    return Result(
        task=task,
        loop="closed" if rate is None else "open",
        concurrency=concurrency,
        rate=rate,
        seconds=recording.seconds,
        time_to_first_token_seconds=distribution(recording.time_to_first_token),
        inter_token_latency_seconds=shared_gaps(recording),
        inter_message_latency_seconds=distribution(recording.gaps),
        end_to_end_seconds=distribution(recording.end_to_end),
        done=recording.outcomes[Outcome.DONE],
        rejected=rejected,
        failed=recording.outcomes[Outcome.FAILED],
        reasons=dict(sorted(recording.reasons.items())),
        refusal_seconds=distribution(recording.refusals),
        retry_hint_share=len(recording.hints) / rejected if rejected else None,
        retry_hint_seconds=distribution(recording.hints),
        requests_per_second=in_window(recording) / recording.window,
        tokens_per_second=recording.tokens / recording.window,
        messages_per_second=recording.messages / recording.window,
        start_delay_seconds=distribution(recording.start_delays),
        generator_lag_seconds=distribution(recording.lags),
        generator_cpu_share=recording.cpu_share,
        generator_loop_share=recording.loop_share,
    )
