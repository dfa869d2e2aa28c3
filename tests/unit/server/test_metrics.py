import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from ostinato_server.gap_histogram import GapHistogram
from ostinato_server.metrics import OUTCOMES, TIME_BUCKETS, ModelInfo, ServerMetrics


def samples(registry: CollectorRegistry, name: str) -> dict[tuple[str, str], float]:
    return {
        (sample.name.removeprefix(name), sample.labels.get("le", "")): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@given(st.lists(st.lists(st.floats(0, 200) | st.sampled_from(TIME_BUCKETS), max_size=20), max_size=10))
def test_gap_histogram_counts_as_the_library_would(steps: list[list[float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    gaps = GapHistogram("gap_seconds", "Gaps.", TIME_BUCKETS)
    ours.register(gaps)
    series = gaps.open("m")
    reference = Histogram("gap_seconds", "Gaps.", ("model",), buckets=TIME_BUCKETS, registry=theirs).labels("m")
    for values in steps:
        series.observe(np.array(values, np.float64))
        for value in values:
            reference.observe(value)
    assert samples(ours, "gap_seconds") == pytest.approx(samples(theirs, "gap_seconds"))


def test_gaps_of_an_engine_that_ended_stay_and_add_up_with_those_of_its_successor() -> None:
    registry = CollectorRegistry()
    gaps = GapHistogram("gap_seconds", "Gaps.", TIME_BUCKETS)
    registry.register(gaps)
    old, new = gaps.open("m"), gaps.open("m")
    old.observe(np.array([0.1, 0.2]))
    new.observe(np.array([0.4]))
    assert samples(registry, "gap_seconds")["_count", ""] == 3
    gaps.close("m", old)
    new.observe(np.array([0.4]))
    assert samples(registry, "gap_seconds")["_count", ""] == 4
    assert samples(registry, "gap_seconds")["_sum", ""] == pytest.approx(1.1)


def test_load_of_two_engines_of_a_model_is_their_sum() -> None:
    registry = CollectorRegistry()
    metrics = ServerMetrics(registry)
    old, new = metrics.engine("m"), metrics.engine("m")

    def running() -> float | None:
        return registry.get_sample_value("ostinato_requests_running", {"model": "m"})

    old.load(3, 0, 0)
    new.load(2, 5, 1)
    assert running() == 5
    old.load(1, 0, 0)
    assert running() == 3
    old.ended()
    assert running() == 2
    assert registry.get_sample_value("ostinato_requests_waiting", {"model": "m"}) == 5


def test_model_is_told_of_while_it_is_loaded_and_counted_while_it_drains() -> None:
    registry = CollectorRegistry()
    metrics = ServerMetrics(registry)
    info = ModelInfo("m", "1", "generation", "onnx", "cpu")

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"ostinato_{name}", labels)

    metrics.model_loaded(info, 0.25)
    assert value("model_info", **info._asdict()) == 1
    assert value("model_load_seconds", model="m", version="1") == 0.25
    metrics.model_draining(info)
    assert value("model_info", **info._asdict()) is None
    assert value("model_load_seconds", model="m", version="1") is None
    assert value("model_versions_draining", model="m") == 1
    metrics.model_unloaded(info)
    metrics.model_refused("m")
    assert value("model_versions_draining", model="m") == 0
    assert [value("model_changes_total", model="m", change=change) for change in ("loaded", "unloaded", "refused")] == [
        1,
        1,
        1,
    ]


def test_buckets_start_at_100_microseconds_and_grow_by_half() -> None:
    assert TIME_BUCKETS[0] == 1e-4
    assert TIME_BUCKETS[-1] > 60
    for low, high in itertools.pairwise(TIME_BUCKETS):
        assert high / low == pytest.approx(1.5, rel=1e-3)


def values(registry: CollectorRegistry, name: str) -> dict[tuple[str, ...], float]:
    """Every series of a metric, by its labels."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == f"ostinato_{name}"
    }


def test_what_a_loaded_model_may_count_is_0_before_it_does() -> None:
    registry = CollectorRegistry()
    metrics = ServerMetrics(registry)
    metrics.model_loaded(ModelInfo("m", "1", "generation", "onnx", "cpu"), 0.25)
    assert values(registry, "requests_total") == {("m", "generation", outcome): 0 for outcome in OUTCOMES}
    assert values(registry, "e2e_request_latency_seconds_count") == {("m",): 0}


def test_calls_are_0_before_there_are_any() -> None:
    registry = CollectorRegistry()
    metrics = ServerMetrics(registry)
    metrics.calls_begin(["/s/A", "/s/B"], ["OK", "INTERNAL"])
    metrics.call_ended("/s/A", "OK", 0.1)
    metrics.calls_begin(["/s/A"], ["OK"])
    assert values(registry, "rpc_duration_seconds_count") == {
        ("/s/A", "OK"): 1,
        ("/s/A", "INTERNAL"): 0,
        ("/s/B", "OK"): 0,
        ("/s/B", "INTERNAL"): 0,
    }


def test_counts_of_a_model_that_was_unloaded_stay_and_go_on() -> None:
    registry = CollectorRegistry()
    metrics = ServerMetrics(registry)
    info = ModelInfo("m", "1", "generation", "onnx", "cpu")
    metrics.model_loaded(info, 0.25)
    metrics.request_ended("m", "generation", "ok", 0.1)
    metrics.model_draining(info)
    metrics.model_unloaded(info)
    metrics.model_loaded(info._replace(version="2"), 0.25)
    assert values(registry, "requests_total")["m", "generation", "ok"] == 1


def test_certificates_in_force_have_their_expiry_and_those_before_have_none() -> None:
    registry = CollectorRegistry()
    metrics = ServerMetrics(registry)
    old, new, other = ("server", "CN=a", "1"), ("server", "CN=a", "2"), ("client_ca", "CN=b", "3")
    metrics.certificates({old: 10.0, other: 30.0})
    metrics.certificates({new: 20.0, other: 30.0})
    assert values(registry, "tls_certificate_expiry_timestamp_seconds") == {new: 20, other: 30}
