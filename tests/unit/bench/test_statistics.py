"""From samples to figures."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_bench.recording import Recording
from ostinato_bench.refusals import Ending
from ostinato_bench.report import document, milliseconds, remarks
from ostinato_bench.statistics import Distribution, distribution, shared_gaps, summarise

NOTHING = Distribution(None, None, None, None, None, 0)


def test_a_percentile_is_a_sample_that_so_many_do_not_exceed() -> None:
    values = distribution(list(range(1, 2001)))
    assert values == Distribution(1000, 1800, 1980, 1998, 2000, 2000)
    assert distribution([1.0, 9.0]).p50 == 1.0, "nothing lies between samples"


def test_nothing_recorded_has_no_percentiles() -> None:
    assert distribution([]) == NOTHING
    assert milliseconds(NOTHING) == "- / - / - / - / -"


@given(st.lists(st.floats(0, 1e3), min_size=1))
def test_percentiles_rise_and_are_samples(samples: list[float]) -> None:
    values = distribution(samples)
    ladder = [values.p50, values.p90, values.p99, values.p999, values.max]
    assert all(value in samples for value in ladder)
    assert ladder == sorted(value for value in ladder if value is not None)
    assert values.max == max(samples)


def test_a_gap_is_shared_by_the_tokens_that_it_brought() -> None:
    recording = Recording(10.0)
    recording.arrived(0.5, 2, first=0.5)
    recording.arrived(0.8, 3, gap=0.3)
    gaps = shared_gaps(recording)
    assert gaps.p50 == pytest.approx(0.1)
    assert gaps.count == 3
    result = summarise(recording, task="generate", concurrency=1)
    assert (result.inter_message_latency_seconds.max, result.inter_message_latency_seconds.count) == (0.3, 1)


def filled(window: float) -> Recording:
    recording = Recording(window)
    for at in (0.5, 1.5, 2.5):
        recording.arrived(at, 1, first=0.1)
        recording.arrived(at, 4, gap=0.1)
        recording.done(at, 0.2)
    recording.ended(Ending(True, "RESOURCE_EXHAUSTED", 2.0), 0.004)
    recording.ended(Ending(True, "RESOURCE_EXHAUSTED", None), 0.006)
    recording.ended(Ending(False, "INTERNAL", None), 1.0)
    recording.seconds = 3.0
    return recording


def test_rates_are_of_what_came_while_the_load_was_on() -> None:
    result = summarise(filled(2.0), task="generate", concurrency=2)
    assert (result.requests_per_second, result.tokens_per_second, result.messages_per_second) == (1, 5, 2)
    assert (result.done, result.rejected, result.failed) == (3, 2, 1)
    assert result.reasons == {"RESOURCE_EXHAUSTED": 2, "INTERNAL": 1}
    assert (result.loop, result.label) == ("closed", "2 in flight")


def test_refusals_have_their_own_figures() -> None:
    result = summarise(filled(2.0), task="generate", rate=4.0)
    assert (result.refusal_seconds.p50, result.refusal_seconds.p99) == (0.004, 0.006)
    assert result.retry_hint_share == 0.5
    assert result.retry_hint_seconds.max == 2.0
    assert (result.loop, result.label) == ("open", "4/s")
    assert remarks([result]) == [
        "4/s: refused in p50 4 / p99 6 ms, 50% with a RetryInfo (p50 2 s, max 2 s)",
        "4/s: 1 INTERNAL, 2 RESOURCE_EXHAUSTED",
    ]


def test_recordings_of_one_run_are_joined() -> None:
    whole, other = filled(2.0), filled(2.0)
    whole.cpu_share, other.cpu_share = 0.5, 0.25
    whole.loop_share, other.loop_share = 0.2, 0.4
    other.seconds = 9.0
    whole.join(other)
    result = summarise(whole, task="generate", rate=4.0)
    assert (result.requests_per_second, result.tokens_per_second) == (2, 10)
    assert (result.done, result.rejected, result.failed) == (6, 4, 2)
    assert result.time_to_first_token_seconds.count == 6
    assert (result.seconds, result.generator_cpu_share, result.generator_loop_share) == (9.0, 0.75, 0.4)


def test_a_generator_that_does_not_keep_up_is_told() -> None:
    busy, late, well = filled(2.0), filled(2.0), filled(2.0)
    busy.loop_share = 0.9
    late.lags = array("d", [0.02])
    well.lags = array("d", [0.001])
    summed = [summarise(each, task="generate", rate=4.0) for each in (busy, late, well)]
    assert [each.blurred for each in summed] == [
        "the load generator is saturated (90% of a core)",
        "the load generator is late (p99 20 ms): processors are short",
        None,
    ]
    assert "--processes" in remarks(summed[:1])[-1]


def test_a_closed_loop_says_what_its_latencies_leave_out() -> None:
    (remark, *_) = remarks([summarise(filled(2.0), task="generate", concurrency=2)])
    assert remark.startswith("closed loop: ")


def test_the_document_holds_every_figure() -> None:
    assert document({"target": "x"}, points=[1])["points"] == [1]


def test_long_times_are_written_out() -> None:
    assert milliseconds(Distribution(0.00123, 0.0123, 0.123, 1.23, 12.3, 5)) == "1.23 / 12.3 / 123 / 1,230 / 12,300"
