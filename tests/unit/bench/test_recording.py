"""From samples to figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_bench.recording import Distribution, Outcome, Recording, distribution, summarise
from ostinato_bench.report import document, milliseconds


def test_percentiles_are_exact() -> None:
    values = distribution([number / 100 for number in range(101)])
    assert values.p50 == pytest.approx(0.5)
    assert values.p90 == pytest.approx(0.9)
    assert values.p99 == pytest.approx(0.99)
    assert values.count == 101


def test_nothing_recorded_has_no_percentiles() -> None:
    assert distribution([]) == Distribution(None, None, None, 0)
    assert milliseconds(distribution([])) == "- / - / -"


@given(st.lists(st.floats(0, 1e3), min_size=1))
def test_percentiles_rise_and_stay_within_the_samples(samples: list[float]) -> None:
    values = distribution(samples)
    assert values.p50 is not None
    assert values.p90 is not None
    assert values.p99 is not None
    tolerance = 1e-9
    assert min(samples) - tolerance <= values.p50 <= values.p90 + tolerance
    assert values.p90 <= values.p99 + tolerance <= max(samples) + 2 * tolerance


def test_a_gap_is_shared_by_the_tokens_that_it_brought() -> None:
    recording = Recording()
    recording.first(0.5, tokens=2)
    recording.more(0.3, tokens=3)
    assert list(recording.inter_token_latency) == pytest.approx([0.1, 0.1, 0.1])
    assert (recording.tokens, recording.messages) == (5, 2)


def test_rates_are_over_the_whole_run() -> None:
    recording = Recording()
    for _ in range(10):
        recording.first(0.1, tokens=1)
        recording.more(0.1, tokens=4)
        recording.done(0.2)
    recording.ended(Outcome.REJECTED, "RESOURCE_EXHAUSTED")
    recording.ended(Outcome.FAILED, "INTERNAL")
    result = summarise(recording, task="generate", concurrency=2, rate=None, seconds=2.0)
    assert (result.requests_per_second, result.tokens_per_second, result.messages_per_second) == (5, 25, 10)
    assert (result.done, result.rejected, result.failed) == (10, 1, 1)
    assert result.errors == {"RESOURCE_EXHAUSTED": 1, "INTERNAL": 1}
    assert milliseconds(result.end_to_end_seconds) == "200 / 200 / 200"
    (written,) = document([result], {"target": "x"})["results"]
    assert written["time_to_first_token_seconds"]["count"] == 10
