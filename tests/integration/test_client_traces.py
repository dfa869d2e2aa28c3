"""The client's calls in the trace that its caller is in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from tests.collector import Collector, collecting
from tests.integration.harness import serving

from ostinato_client import AsyncClient, Client


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


def call_each(client: Client) -> int:
    """Makes a call of every kind, and gives how many."""
    client.generate("a", max_chars=3).text()
    with client.session() as session:
        session.send("a", max_chars=3).text()
    client.classify("good")
    list(client.classify_stream(["good", "bad"]))
    list(client.classify_incremental(["good"]))
    list(client.translate("a cat", max_tokens=3))
    client.models()
    return 7


async def call_each_async(client: AsyncClient) -> int:
    await client.generate("a", max_chars=3).text()
    async with client.session() as session:
        await session.send("a", max_chars=3).text()
    await client.classify("good")
    [score async for score in client.classify_stream(["good", "bad"])]
    [score async for score in client.classify_incremental(["good"])]
    [token async for token in client.translate("a cat", max_tokens=3)]
    await client.models()
    return 7


@pytest.fixture
def exported(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Collector:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{collector.address}")
    collector.spans.clear()
    return collector


def test_every_call_is_below_the_span_that_it_was_made_in(repository: Path, exported: Collector) -> None:
    with serving(repository, traces="otlp") as server, Client(server.address, trace_context=True) as client:
        with TracerProvider(shutdown_on_exit=False).get_tracer("test").start_as_current_span("mine") as span:
            made = call_each(client)
        client.models()
    mine = span.get_span_context()
    calls = exported.calls()
    assert len(calls) == made + 1
    assert {(call.trace_id, call.parent_id) for call in calls[:-1]} == {
        (f"{mine.trace_id:032x}", f"{mine.span_id:016x}")
    }
    assert calls[-1].parent_id == "", "there was no span any more"


async def test_every_call_of_the_other_client_too(repository: Path, exported: Collector) -> None:
    with serving(repository, traces="otlp") as server:
        async with AsyncClient(server.address, trace_context=True, client_id="me") as client:
            with TracerProvider(shutdown_on_exit=False).get_tracer("test").start_as_current_span("mine") as span:
                made = await call_each_async(client)
    mine = span.get_span_context()
    assert [call.parent_id for call in exported.calls()] == [f"{mine.span_id:016x}"] * made


def test_nothing_is_passed_on_unasked(repository: Path, exported: Collector) -> None:
    mine = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_as_current_span("mine")
    with serving(repository, traces="otlp") as server, Client(server.address) as client, mine:
        client.models()
    (call,) = exported.calls()
    assert call.parent_id == ""


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_without_the_library_asking_for_it_names_it(
    kind: type[Client] | type[AsyncClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.propagate", None)
    with pytest.raises(ValueError, match="pip install opentelemetry-api"):
        kind("localhost:1", trace_context=True)
