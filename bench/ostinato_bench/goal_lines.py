"""The lines of the table of goals: what was measured, beside what was to be reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ostinato_bench.statistics import Result
from ostinato_bench.table_steps import TableSteps

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All that was measured of one setting.

    Attributes:
        bare: The bare step table of the language model, by batch size: alone, and as many as the server's slots.
        peak_share: Part of the matrix-product peak that the step reaches with all slots taken, if that was measured.
        streams: Generation with as many streams as slots.
        alone: Generation with one stream.
        crowd: Generation with many more streams than slots.
        texts: Sentiment, a text a call.
        batches: Sentiment, many texts a call.
        sentences: Translation with as many sentences as slots.
        sentence: Translation, one sentence at a time.
        start_seconds: From the server's start until it served all models.
        resident_bytes: Its memory on the host, once it had.
    """

    bare: Mapping[int, TableSteps]
    peak_share: float | None
    streams: Result
    alone: Result
    crowd: Result
    texts: Result
    batches: Result
    sentences: Result
    sentence: Result
    start_seconds: float
    resident_bytes: float


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Attributes:
        what: What was measured.
        found: The figure, for people.
        goal: What was to be reached; empty where the goal is a ratio to something that is not measured here.
        reached: Whether it was; None without a goal.
    """

    what: str
    found: str
    goal: str = ""
    reached: bool | None = None


def lines(measured: Measured) -> list[Line]:
    """The table's lines, in its order."""
    narrow, wide = (measured.bare[batch] for batch in (min(measured.bare), max(measured.bare)))
    streams, alone, crowd = measured.streams, measured.alone, measured.crowd
    found = [
        Line(
            f"bare step, {each.batch} rows, alone / in a run",
            f"{_us(each.step_seconds)} / {_us(each.run_step_seconds)}",
        )
        for each in measured.bare.values()
    ]
    if measured.peak_share is not None:
        found.append(
            _at_least(f"{wide.batch} rows' step, of the matrix-product peak in the same run", measured.peak_share, 0.7)
        )
    found += [
        Line(f"generation, {streams.concurrency} streams", f"{streams.tokens_per_second:,.0f} characters/s"),
        Line("its first character, p50", _us(streams.time_to_first_token_seconds.p50)),
        _at_least(
            f"its share of the bare step, {streams.concurrency} streams",
            streams.tokens_per_second / wide.tokens_per_second,
            0.8,
        ),
        _at_least("the same, 1 stream", alone.tokens_per_second / narrow.tokens_per_second, 0.6),
        _between_characters(alone.inter_token_latency_seconds.p50, narrow.step_seconds + 150e-6),
        _at_least(
            f"throughput with {crowd.concurrency} streams, of that with {streams.concurrency}",
            crowd.tokens_per_second / streams.tokens_per_second,
            0.9,
        ),
        Line(
            f"sentiment, {measured.texts.concurrency} calls in flight",
            f"{measured.texts.tokens_per_second:,.0f} texts/s",
        ),
        _times(
            "texts of batch calls, over single calls",
            measured.batches.tokens_per_second / measured.texts.tokens_per_second,
            5,
        ),
        _times(
            f"translation, {measured.sentences.concurrency} sentences, over one at a time",
            measured.sentences.tokens_per_second / measured.sentence.tokens_per_second,
            8,
        ),
        Line(
            "start, all models to SERVING",
            f"{measured.start_seconds:.1f} s",
            "≤ 2 s",
            measured.start_seconds <= 2,
        ),
        Line("resident on the host", f"{measured.resident_bytes / MEBIBYTE:,.0f} MiB"),
    ]
    return found


def _us(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e6:,.0f} µs"


def _at_least(what: str, share: float, goal: float) -> Line:
    return Line(what, f"{share:.0%}", f"≥ {goal:.0%}", share >= goal)


def _times(what: str, ratio: float, goal: int) -> Line:
    return Line(what, f"{ratio:.1f} times", f"≥ {goal} times", ratio >= goal)


def _between_characters(seconds: float | None, goal: float) -> Line:
    reached = None if seconds is None else seconds <= goal
    return Line("between characters, 1 stream, p50", _us(seconds), f"≤ {_us(goal)} (bare step + 150)", reached)
