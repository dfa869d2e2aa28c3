"""What one run recorded: raw samples, exact to the clock.

Raw samples, not the buckets of an HDR histogram: the ``hdrhistogram`` package is kept and permissively licensed, but
rounds to so many digits, costs a bucket search a sample where an array costs an append, and needs its highest value
told beforehand. What it would save is memory: a sample is 8 bytes here, so a run of a minute at 20,000 tokens a second
is under 20 MB, and recordings of several processes are joined by putting them behind one another. The percentiles that
are drawn from them are HdrHistogram's own, and so is what guards them against coordinated omission: in open loop
latencies count from the intended start (`ostinato_bench.load`).
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from enum import Enum

from ostinato_bench.refusals import Ending


class Outcome(Enum):
    """How a request ended."""

    DONE = "done"
    REJECTED = "rejected"
    FAILED = "failed"


def _samples() -> array[float]:
    return array("d")


@dataclass(slots=True)
class Recording:
    """The samples of one run; times in seconds.

    Attributes:
        window: Rates count what arrives in so many seconds from the run's start.
        time_to_first_token: Per request that answered, from its intended start to its first message with output.
        gaps: Per later message with output: the time since the stream's message before.
        gap_tokens: Tokens that each of those messages brought.
        end_to_end: Per finished request, from its intended start to the end of its stream.
        finished_at: Per finished request, when, from the run's start.
        refusals: Per rejected request, from its intended start to the refusal.
        hints: Per rejected request with a RetryInfo: when it says to come back.
        start_delays: Per request, how long after its intended start it began.
        lags: How late the generator's event loop woke up, sampled: what it sees of the server is that late too.
        outcomes: Requests by how they ended.
        reasons: Those that did not finish, by the status.
        tokens: Output tokens that arrived in the window.
        messages: Messages with output that arrived in the window.
        all_tokens: Output tokens that arrived at all.
        seconds: From the start to the end of the last request.
        cpu_share: Processor time of the generators over the run's time: 1 is a core.
        loop_share: The same of the busiest generator's event loop, which is one thread: 1 is saturated.
    """

    window: float
    time_to_first_token: array[float] = field(default_factory=_samples)
    gaps: array[float] = field(default_factory=_samples)
    gap_tokens: array[int] = field(default_factory=lambda: array("L"))
    end_to_end: array[float] = field(default_factory=_samples)
    finished_at: array[float] = field(default_factory=_samples)
    refusals: array[float] = field(default_factory=_samples)
    hints: array[float] = field(default_factory=_samples)
    start_delays: array[float] = field(default_factory=_samples)
    lags: array[float] = field(default_factory=_samples)
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    reasons: dict[str, int] = field(default_factory=dict)
    tokens: int = 0
    messages: int = 0
    all_tokens: int = 0
    seconds: float = 0.0
    cpu_share: float = 0.0
    loop_share: float = 0.0

    def arrived(self, at: float, tokens: int, *, first: float | None = None, gap: float = 0.0) -> None:
        """Notes a message with output.

        Args:
            at: When, from the run's start.
            tokens: What it brought.
            first: Time since the request's intended start, if it is the first of its stream.
            gap: Time since the stream's message before, otherwise.
        """
        self.all_tokens += tokens
        if at <= self.window:
            self.tokens += tokens
            self.messages += 1
        if first is not None:
            self.time_to_first_token.append(first)
        else:
            self.gaps.append(gap)
            self.gap_tokens.append(tokens)

    def done(self, at: float, seconds: float) -> None:
        """Notes a finished request."""
        self.end_to_end.append(seconds)
        self.finished_at.append(at)
        self.outcomes[Outcome.DONE] += 1

    def ended(self, ending: Ending, seconds: float) -> None:
        """Notes a request that did not finish, and how long it took to say so."""
        self.outcomes[Outcome.REJECTED if ending.rejected else Outcome.FAILED] += 1
        self.reasons[ending.reason] = self.reasons.get(ending.reason, 0) + 1
        if ending.rejected:
            self.refusals.append(seconds)
            if ending.retry_seconds is not None:
                self.hints.append(ending.retry_seconds)

    def join(self, other: Recording) -> None:
        """Takes in what another generator recorded of the same run."""
        for name in _ARRAYS:
            getattr(self, name).extend(getattr(other, name))
        for outcome, count in other.outcomes.items():
            self.outcomes[outcome] += count
        for reason, count in other.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count
        self.tokens += other.tokens
        self.messages += other.messages
        self.all_tokens += other.all_tokens
        self.seconds = max(self.seconds, other.seconds)
        self.cpu_share += other.cpu_share
        self.loop_share = max(self.loop_share, other.loop_share)


_ARRAYS = (
    "time_to_first_token",
    "gaps",
    "gap_tokens",
    "end_to_end",
    "finished_at",
    "refusals",
    "hints",
    "start_delays",
    "lags",
)
