import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from ostinato_server.metrics import TIME_BUCKETS, GapHistogram


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
    gaps.add_model("m")
    reference = Histogram("gap_seconds", "Gaps.", ("model",), buckets=TIME_BUCKETS, registry=theirs).labels("m")
    for values in steps:
        gaps.observe("m", np.array(values, np.float64))
        for value in values:
            reference.observe(value)
    assert samples(ours, "gap_seconds") == pytest.approx(samples(theirs, "gap_seconds"))


def test_buckets_start_at_100_microseconds_and_grow_by_half() -> None:
    assert TIME_BUCKETS[0] == 1e-4
    assert TIME_BUCKETS[-1] > 60
    for low, high in itertools.pairwise(TIME_BUCKETS):
        assert high / low == pytest.approx(1.5, rel=1e-3)
