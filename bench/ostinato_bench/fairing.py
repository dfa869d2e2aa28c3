"""How much a disturber slows the others: quiet and disturbed phases in turn, so that the machine's drift cancels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ostinato_bench.recording import Recording
from ostinato_bench.statistics import Distribution, distribution, shared_gaps


@dataclass(frozen=True, slots=True)
class Phases:
    """What was measured in all phases of a kind.

    Attributes:
        inter_token_seconds: Between two tokens; a gap is shared by the tokens that came with the message that ended it.
        inter_message_seconds: Between two messages.
        first_token_seconds: From the start of a stream to its first token.
        tokens_per_second: Output that arrived.
    """

    inter_token_seconds: Distribution
    inter_message_seconds: Distribution
    first_token_seconds: Distribution
    tokens_per_second: float


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A disturber and what it did.

    Attributes:
        disturber: Its name.
        quiet: The normal streams alone.
        disturbed: The normal streams beside it.
        requests: Requests that the disturber made to an end, or that ended otherwise.
        refused: Those of them that were refused or failed.
    """

    disturber: str
    quiet: Phases
    disturbed: Phases
    requests: int
    refused: int

    @property
    def token_ratio(self) -> float | None:
        """p99 between two tokens, disturbed over quiet."""
        return ratio(self.disturbed.inter_token_seconds.p99, self.quiet.inter_token_seconds.p99)

    @property
    def message_ratio(self) -> float | None:
        """p99 between two messages, disturbed over quiet."""
        return ratio(self.disturbed.inter_message_seconds.p99, self.quiet.inter_message_seconds.p99)

    @property
    def first_token_ratio(self) -> float | None:
        """p99 of the time to the first token, disturbed over quiet."""
        return ratio(self.disturbed.first_token_seconds.p99, self.quiet.first_token_seconds.p99)


def ratio(above: float | None, below: float | None) -> float | None:
    """One time over another; None where either is not known."""
    return above / below if above is not None and below else None


def pooled(recordings: Sequence[Recording]) -> Phases:
    """All phases of a kind as one.

    Args:
        recordings: One a phase, at least one.
    """
    window = sum(each.window for each in recordings)
    whole = Recording(window)
    for each in recordings:
        whole.join(each)
    return Phases(
        shared_gaps(whole),
        distribution(whole.gaps),
        distribution(whole.time_to_first_token),
        whole.tokens / window,
    )
