"""Exemplars: a bucket of a latency names a trace that fell into it, where a scrape asks for OpenMetrics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from tests.collector import collecting
from tests.integration.harness import CALL_SECONDS, RunningServer, continued, fold, serving

TRACE = "0af7651916cd43dd8448eb211c80319c"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
LATENCIES = {
    "ostinato_time_to_first_token_seconds",
    "ostinato_request_queue_time_seconds",
    "ostinato_e2e_request_latency_seconds",
    "ostinato_rpc_duration_seconds",
}


@pytest.fixture
def traced(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{collector.address}")
        with serving(repository, traces="otlp") as server:
            yield server


def scrape(server: RunningServer) -> list[Metric]:
    with urlopen(Request(server.metrics_url, headers={"Accept": OPEN_METRICS}), timeout=CALL_SECONDS) as response:
        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        return list(text_string_to_metric_families(response.read().decode()))  # type: ignore[no-untyped-call]


def exemplars(server: RunningServer) -> dict[str, set[str]]:
    """The traces that a scrape names, by metric; each exemplar must lie in its bucket."""
    found: dict[str, set[str]] = {}
    for family in scrape(server):
        for sample in family.samples:
            if sample.exemplar is not None:
                assert sample.exemplar.value <= float(sample.labels["le"])
                found.setdefault(family.name, set()).add(sample.exemplar.labels["trace_id"])
    return found


def call(server: RunningServer, flags: str) -> None:
    metadata = (("traceparent", f"00-{TRACE}-b7ad6b7169203331-{flags}"),)
    fold(server.generation.Generate(continued(20), timeout=CALL_SECONDS, metadata=metadata))


def test_every_latency_names_a_trace_that_was_kept(traced: RunningServer) -> None:
    call(traced, "01")
    assert exemplars(traced) == {name: {TRACE} for name in LATENCIES}


def test_a_trace_that_nobody_keeps_is_not_named(traced: RunningServer) -> None:
    call(traced, "00")
    assert exemplars(traced) == {}


def test_without_traces_the_same_metrics_are_told_in_both_forms(server: RunningServer) -> None:
    call(server, "01")
    assert exemplars(server) == {}
    open_metrics = {sample.name for family in scrape(server) for sample in family.samples}
    plain = {name for name, _ in server.scrape()}
    assert open_metrics == plain
    assert any(name.startswith("ostinato_inter_token_latency_seconds") for name in plain)
