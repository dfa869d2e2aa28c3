"""Traces of the real server, as a collector gets them."""

from __future__ import annotations

import itertools
import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from tests.collector import Collector, ReceivedSpan, collecting
from tests.integration.harness import CALL_SECONDS, RunningServer, continued, fold, generate, serving

from ostinato.v1 import generation_pb2, sentiment_pb2, translation_pb2
from ostinato_server.config import ServerConfig
from ostinato_server.errors import StartupError
from ostinato_server.logs import FIELDS
from ostinato_server.rpc import generation, tracing

PROMPT = "The cat"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = (("traceparent", f"00-{TRACE}-{PARENT}-01"),)
UNSAMPLED = (("traceparent", f"00-{TRACE}-{PARENT}-00"),)

SERVER, UNSET, ERROR = 2, 0, 2
"""Kind of a span, and codes of its status, in OTLP."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Where servers of the test send their traces; it has all of them once a server is closed."""
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{running.address}")
        yield running


def names(spans: list[ReceivedSpan]) -> list[str]:
    return [span.name for span in spans]


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_collector_on_this_machine_is_reached_without_a_proxy(
    repository: Path, collector: Collector, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{scheme}{collector.address}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_INSECURE", "true")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("grpc_proxy", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        with serving(repository, traces="otlp") as server:
            fold(server.generation.Generate(continued(5), timeout=CALL_SECONDS, metadata=SAMPLED))
    assert len(collector.calls()) == 1


def test_a_stream_is_a_span_below_its_clients_and_its_phases_are_below_it(
    repository: Path, collector: Collector
) -> None:
    with serving(repository, traces="otlp") as server:
        fold(server.generation.Generate(continued(20), timeout=CALL_SECONDS, metadata=SAMPLED))
    (call,) = collector.calls()
    phases = collector.below(call)
    assert (call.name, call.kind) == ("ostinato.v1.GenerationService/Generate", SERVER)
    assert (call.trace_id, call.parent_id, call.status) == (TRACE, PARENT, (UNSET, ""))
    assert names(phases) == ["queue", "prefill", "decode", "delivery"]
    assert {span.trace_id for span in collector.spans} == {TRACE}
    assert len(collector.spans) == 5
    moments = [call.start, phases[0].start, *(phase.end for phase in phases)]
    assert moments == sorted(moments)
    assert phases[-1].end <= call.end
    for one, following in itertools.pairwise(phases):
        assert one.end == following.start
    assert call.resource["service.name"] == "ostinato"


def test_a_call_tells_its_model_and_its_counts_and_never_its_text(repository: Path, collector: Collector) -> None:
    named = (*SAMPLED, ("x-request-id", "order-66"))
    with serving(repository, traces="otlp") as server:
        text = fold(server.generation.Generate(continued(20), timeout=CALL_SECONDS, metadata=named)).text
    (call,) = collector.calls()
    assert call.attributes == {
        "rpc.system.name": "grpc",
        "rpc.system": "grpc",
        "rpc.service": "ostinato.v1.GenerationService",
        "rpc.method": "ostinato.v1.GenerationService/Generate",
        "rpc.response.status_code": "OK",
        "rpc.grpc.status_code": 0,
        "client.address": "127.0.0.1",
        "gen_ai.provider.name": "ostinato",
        "gen_ai.operation.name": "text_completion",
        "gen_ai.request.model": "char-lm",
        "gen_ai.response.model": "char-lm",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 20,
        "ostinato.request_id": "order-66",
        "ostinato.model.version": 1,
        "ostinato.texts": 1,
    }
    for wording in (PROMPT, text):
        assert wording not in str(collector.spans)


def test_every_task_has_its_phases_and_a_session_those_of_each_turn(repository: Path, collector: Collector) -> None:
    with serving(repository, traces="otlp") as server:
        request = sentiment_pb2.ClassifyRequest(model="sentiment", text="good")
        server.sentiment.Classify(request, timeout=CALL_SECONDS)
        sentence = translation_pb2.TranslateRequest(model="translation-en-fr", text="a cat", max_tokens=5, beam_size=2)
        list(server.translation.Translate(sentence, timeout=CALL_SECONDS))
        turns = [
            generation_pb2.GenerateSessionRequest(start=generation_pb2.SessionStart(model="char-lm")),
            *(
                generation_pb2.GenerateSessionRequest(
                    turn=generation_pb2.SessionTurn(
                        text=text, stopping=generation_pb2.StoppingParameters(max_tokens=most)
                    )
                )
                for text, most in (("a", 3), ("b", 0))
            ),
        ]
        list(server.generation.GenerateSession(iter(turns), timeout=CALL_SECONDS))
    scored, translated, session = collector.calls()
    assert len({span.trace_id for span in (scored, translated, session)}) == 3
    assert names(collector.below(scored)) == ["queue", "prefill", "delivery"]
    assert scored.attributes["gen_ai.operation.name"] == "sentiment"
    assert "gen_ai.usage.output_tokens" not in scored.attributes
    assert {"queue", "prefill", "delivery"} <= set(names(collector.below(translated)))
    by_turn = [(span.attributes["ostinato.passage"], span.name) for span in collector.below(session)]
    assert by_turn == [
        *((0, name) for name in ("queue", "prefill", "decode", "delivery")),
        *((1, name) for name in ("queue", "prefill", "delivery")),  # this one only read
    ]


@pytest.mark.parametrize(
    ("characters", "code", "reason", "status", "phases"),
    [
        (0, "INVALID_ARGUMENT", "INVALID_ARGUMENT", (UNSET, ""), []),
        (10_000, "DEADLINE_EXCEEDED", "DEADLINE_EXPIRED", (ERROR, "DEADLINE_EXPIRED"), ["queue", "prefill", "decode"]),
    ],
    ids=["the client's fault", "a failure"],
)
def test_a_call_that_failed_says_how_and_how_far_it_came(
    repository: Path,
    collector: Collector,
    characters: int,
    code: str,
    reason: str,
    status: tuple[int, str],
    phases: list[str],
) -> None:
    with serving(repository, traces="otlp", max_deadline_seconds=0.25) as server:
        with pytest.raises(grpc.RpcError) as raised:
            fold(server.generation.Generate(continued(characters), timeout=CALL_SECONDS))
        assert raised.value.code().name == code
    (call,) = collector.calls()
    assert call.status == status
    assert call.attributes["rpc.response.status_code"] == code
    assert call.attributes["rpc.grpc.status_code"] == raised.value.code().value[0]
    assert call.attributes["ostinato.reason"] == reason
    assert call.attributes.get("error.type") == (code if status[0] == ERROR else None)
    assert names(collector.below(call)) == phases


def test_an_error_that_nobody_foresaw_is_found_in_log_and_trace_by_the_same_names(
    repository: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(generation, "read_request", lambda *_: 1 / 0)
    named = (*SAMPLED, ("x-request-id", "order-66"))
    with serving(repository, traces="otlp") as server, pytest.raises(grpc.RpcError) as raised:
        fold(server.generation.Generate(continued(5), timeout=CALL_SECONDS, metadata=named))
    assert raised.value.code() == grpc.StatusCode.INTERNAL
    assert "division" not in (raised.value.details() or "")
    (call,) = collector.calls()
    (error,) = (line for line in caplog.records if line.levelno == logging.ERROR)
    assert error.exc_info is not None
    assert getattr(error, FIELDS) == {"request_id": "order-66", "trace_id": TRACE, "span_id": call.span_id}
    assert (call.status[0], call.attributes["error.type"]) == (ERROR, "INTERNAL")


def test_a_client_that_keeps_no_trace_has_none_kept_here_but_finds_the_call_in_the_log(
    repository: Path, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "ostinato_server.requests"), serving(repository, traces="otlp") as server:
        for metadata in (UNSAMPLED, SAMPLED):
            fold(server.generation.Generate(continued(5), timeout=CALL_SECONDS, metadata=metadata))
    dropped, kept = (getattr(line, FIELDS) for line in caplog.records if line.name == "ostinato_server.requests")
    (call,) = collector.calls()
    assert (kept["trace_id"], kept["span_id"]) == (TRACE, call.span_id)
    assert dropped["trace_id"] == TRACE
    assert len(dropped["span_id"]) == 16
    assert dropped["span_id"] not in {PARENT, call.span_id}


def test_the_sampler_of_the_environment_decides_where_no_client_does(
    repository: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    with serving(repository, traces="otlp") as server:
        fold(server.generation.Generate(continued(5), timeout=CALL_SECONDS))
        fold(server.generation.Generate(continued(5), timeout=CALL_SECONDS, metadata=SAMPLED))
    (call,) = collector.calls()
    assert call.trace_id == TRACE


@pytest.mark.parametrize("nonsense", ["", "00-0-0-01", f"00-{'0' * 32}-{PARENT}-01", "x" * 4000])
def test_a_context_that_cannot_be_read_begins_a_trace_of_its_own(
    repository: Path, collector: Collector, nonsense: str
) -> None:
    metadata = (("traceparent", nonsense),)
    with serving(repository, traces="otlp") as server:
        fold(server.generation.Generate(continued(5), timeout=CALL_SECONDS, metadata=metadata))
    (call,) = collector.calls()
    assert call.parent_id == ""
    assert call.trace_id not in {"0" * 32, TRACE}


def test_without_the_flag_nothing_is_sent(repository: Path, collector: Collector) -> None:
    with serving(repository) as server:
        fold(server.generation.Generate(continued(5), timeout=CALL_SECONDS, metadata=SAMPLED))
    assert collector.spans == []


@pytest.fixture(params=["refuses", "says nothing"])
def no_collector(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An address where no collector is: connections are refused there, or taken and never answered."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        if request.param == "says nothing":
            bound.listen()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{bound.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600")
        yield


@pytest.mark.usefixtures("no_collector")
def test_a_collector_that_is_not_there_neither_breaks_calls_nor_holds_up_the_end(
    repository: Path, server: RunningServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracing, "FLUSH_SECONDS", 0.2)
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    expected = generate(server, continued(20)).text
    with serving(repository, traces="otlp") as traced:
        for _ in range(10):  # 50 spans, so that batches are under way and the queue overflows
            assert generate(traced, continued(20)).text == expected
    assert "spans that were not delivered within 0.2 s are lost" in caplog.text


def test_a_protocol_that_there_is_not_is_told_at_the_start(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    with (
        pytest.raises(StartupError, match="OTEL_EXPORTER_OTLP_PROTOCOL must be grpc, not 'http/protobuf'"),
        serving(repository, traces="otlp"),
    ):
        pass


def test_without_the_library_the_start_names_the_extra(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ostinato_server.rpc.tracing")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc.trace_exporter", None)
    with (
        pytest.raises(StartupError, match=r"pip install 'ostinato\[server,tracing\]'"),
        serving(repository, traces="otlp"),
    ):
        pass


def test_there_are_two_settings(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="traces must be one of none, otlp, not 'console'"):
        ServerConfig(repository=tmp_path, traces="console")
