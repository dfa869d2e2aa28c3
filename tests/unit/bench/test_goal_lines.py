"""The lines of the table of goals follow from the figures, and say what was reached."""

from __future__ import annotations

import dataclasses

import pytest

from ostinato_bench.goal_lines import Measured, lines
from ostinato_bench.recording import Recording
from ostinato_bench.statistics import Distribution, Result, summarise
from ostinato_bench.table_steps import TableSteps

BARE = {1: TableSteps(1, 100e-6, 50e-6), 64: TableSteps(64, 200e-6, 160e-6)}


def result(concurrency: int, tokens_per_second: float, p50: float | None = None) -> Result:
    empty = summarise(Recording(1.0), task="generate", concurrency=concurrency, rate=None)
    times = Distribution(p50, p50, p50, p50, p50, 1)
    return dataclasses.replace(
        empty,
        tokens_per_second=tokens_per_second,
        time_to_first_token_seconds=times,
        inter_token_latency_seconds=times,
    )


def measured(**changes: object) -> Measured:
    usual = Measured(
        bare=BARE,
        peak_share=None,
        streams=result(64, 340_000, 2e-3),
        alone=result(1, 11_000, 90e-6),
        crowd=result(1024, 310_000),
        texts=result(64, 5_000),
        batches=result(4, 25_500),
        sentences=result(64, 9_000),
        sentence=result(1, 900),
        start_seconds=1.9,
        resident_bytes=3 << 30,
    )
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


def test_lines_say_what_was_found_and_what_was_to_be_reached() -> None:
    assert [(line.what, line.found, line.goal, line.reached) for line in lines(measured())] == [
        ("bare step, 1 rows, alone / in a run", "100 µs / 50 µs", "", None),
        ("bare step, 64 rows, alone / in a run", "200 µs / 160 µs", "", None),
        ("generation, 64 streams", "340,000 characters/s", "", None),
        ("its first character, p50", "2,000 µs", "", None),
        ("its share of the bare step, 64 streams", "85%", "≥ 80%", True),
        ("the same, 1 stream", "55%", "≥ 60%", False),
        ("between characters, 1 stream, p50", "90 µs", "≤ 250 µs (bare step + 150)", True),
        ("throughput with 1024 streams, of that with 64", "91%", "≥ 90%", True),
        ("sentiment, 64 calls in flight", "5,000 texts/s", "", None),
        ("texts of batch calls, over single calls", "5.1 times", "≥ 5 times", True),
        ("translation, 64 sentences, over one at a time", "10.0 times", "≥ 8 times", True),
        ("start, all models to SERVING", "1.9 s", "≤ 2 s", True),
        ("resident on the host", "3,072 MiB", "", None),
    ]


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"streams": result(64, 100_000)}, "its share of the bare step, 64 streams"),
        ({"alone": result(1, 20_000, 251e-6)}, "between characters, 1 stream, p50"),
        ({"crowd": result(1024, 300_000)}, "throughput with 1024 streams, of that with 64"),
        ({"sentence": result(1, 2_000)}, "translation, 64 sentences, over one at a time"),
        ({"start_seconds": 2.1}, "start, all models to SERVING"),
        ({"batches": result(4, 24_000)}, "texts of batch calls, over single calls"),
        ({"peak_share": 0.69}, "64 rows' step, of the matrix-product peak in the same run"),
    ],
)
def test_what_falls_short_is_said_to_be_missed(changes: dict[str, object], missed: str) -> None:
    assert [line.reached for line in lines(measured(**changes)) if line.what == missed] == [False]


def test_stream_without_a_second_message_has_no_gap() -> None:
    (line,) = [each for each in lines(measured(alone=result(1, 20_000))) if each.what.startswith("between")]
    assert (line.found, line.reached) == ("-", None)
