"""The deadline holds while a client does not read: its places are free again, and it learns why once it reads on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.integration.harness import CALL_SECONDS, RunningServer, Stubs, serving
from tests.integration.test_kserve import request as infer_request

from ostinato.v1 import generation_pb2, sentiment_pb2, translation_pb2
from ostinato_server.config import ServerConfig
from ostinato_server.rpc.listener import channel_options

SMALL_WINDOW = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 64))
"""A client whose transport takes 64 bytes ahead of its reader."""

GENERATE = generation_pb2.GenerateRequest(
    model="char-lm", prompt="The cat", stopping=generation_pb2.StoppingParameters(max_tokens=10_000)
)


@dataclass(frozen=True)
class Call:
    """A call whose responses do not fit into the client's window.

    Attributes:
        method: Full name of the method.
        open: Opens it.
    """

    method: str
    open: Callable[[Stubs], Any]


def turns() -> Iterator[generation_pb2.GenerateSessionRequest]:
    yield generation_pb2.GenerateSessionRequest(start=generation_pb2.SessionStart(model="char-lm"))
    yield generation_pb2.GenerateSessionRequest(
        turn=generation_pb2.SessionTurn(text="The cat", stopping=GENERATE.stopping)
    )


def texts() -> Iterator[sentiment_pb2.ClassifyStreamRequest]:
    for _ in range(200):
        yield sentiment_pb2.ClassifyStreamRequest(model="sentiment", text="a good film " * 5, include_trace=True)


def changes() -> Iterator[sentiment_pb2.ClassifyIncrementalRequest]:
    yield sentiment_pb2.ClassifyIncrementalRequest(model="sentiment", appended_text="good")
    while True:
        yield sentiment_pb2.ClassifyIncrementalRequest(appended_text="!")
        yield sentiment_pb2.ClassifyIncrementalRequest(deleted_characters=1)


CALLS = (
    Call("/ostinato.v1.GenerationService/Generate", lambda stubs: stubs.generation.Generate(GENERATE)),
    Call("/ostinato.v1.GenerationService/GenerateSession", lambda stubs: stubs.generation.GenerateSession(turns())),
    Call("/ostinato.v1.SentimentService/ClassifyStream", lambda stubs: stubs.sentiment.ClassifyStream(texts())),
    Call(
        "/ostinato.v1.SentimentService/ClassifyIncremental",
        lambda stubs: stubs.sentiment.ClassifyIncremental(changes()),
    ),
    Call(
        "/ostinato.v1.TranslationService/Translate",
        lambda stubs: stubs.translation.Translate(
            translation_pb2.TranslateRequest(model="translation-en-fr", text="a cat " * 20, include_attention=True)
        ),
    ),
    Call(
        "/inference.GRPCInferenceService/ModelStreamInfer",
        lambda stubs: stubs.inference.ModelStreamInfer(
            iter([infer_request("char-lm", "prompt", ["The cat"], max_tokens=10_000)])
        ),
    ),
)


@pytest.fixture
def server(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    """One slot for each model, one session, a cap of half a second, and no buffer before a blocked client."""

    def unbuffered(config: ServerConfig) -> tuple[tuple[str, int], ...]:
        return (*channel_options(config), ("grpc.http2.write_buffer_size", 1))

    monkeypatch.setattr("ostinato_server.app.channel_options", unbuffered)
    with serving(
        repository, max_deadline_seconds=0.5, max_concurrency=1, max_sessions=1, grace_seconds=CALL_SECONDS
    ) as running:
        yield running


def ended(server: RunningServer, method: str) -> dict[str, float]:
    """Calls of a method that have ended, by status."""
    return {
        code: value
        for code in ("OK", "CANCELLED", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL")
        if (value := server.rpcs_ended(method, code))
    }


def requests(server: RunningServer) -> list[tuple[tuple[tuple[str, str], ...], float]]:
    """How requests have ended, by labels."""
    return [(labels, value) for (name, labels), value in server.scrape().items() if name == "ostinato_requests_total"]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.method.rpartition("/")[2])
def test_call_of_a_client_that_does_not_read_ends_at_the_cap(server: RunningServer, call: Call) -> None:
    with server.connected(options=SMALL_WINDOW) as blocked, server.connected() as other:
        stalled = call.open(blocked)
        while not (statuses := ended(server, call.method)):
            pass
        assert statuses == {"DEADLINE_EXCEEDED": 1}
        outcomes = {dict(labels)["outcome"] for labels, value in requests(server) if value}
        assert "internal" not in outcomes
        # Texts of a stream run side by side: those behind the blocked one are cancelled with it.
        assert "cancelled" not in outcomes or call.method.endswith("ClassifyStream")

        again = call.open(other)  # the slot, or the session, is free
        next(again)
        again.cancel()

        with pytest.raises(grpc.RpcError) as caught:
            list(stalled)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        error: Any = caught.value
        keys = [key for key, _ in error.trailing_metadata()]
        assert "x-request-id" in keys


def test_blocked_call_does_not_delay_a_stop_beyond_its_deadline(server: RunningServer) -> None:
    with server.connected(options=SMALL_WINDOW) as blocked:
        stalled = blocked.generation.Generate(GENERATE)
        next(stalled)
        server.begin_stop()()  # the grace period is as long as the harness waits
        with pytest.raises(grpc.RpcError):
            list(stalled)


def test_call_that_was_given_up_counts_for_its_caller_until_the_client_reads_on(repository: Path) -> None:
    with (
        serving(repository, max_deadline_seconds=0.5, max_requests_per_caller=1) as limited,
        limited.connected(options=SMALL_WINDOW) as blocked,
    ):
        stalled = blocked.generation.Generate(GENERATE)
        next(stalled)
        while not ended(limited, "/ostinato.v1.GenerationService/Generate"):
            pass
        with pytest.raises(grpc.RpcError) as refused:
            next(limited.generation.Generate(GENERATE))
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.RpcError):
            list(stalled)
        again = limited.generation.Generate(GENERATE)
        next(again)
        again.cancel()


def test_blocked_client_that_goes_is_counted_as_cancelled_and_no_error_is_logged(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    method = "/ostinato.v1.GenerationService/Generate"
    with serving(repository) as running:
        for gone in range(1, 11):
            with running.connected(options=SMALL_WINDOW) as blocked:
                next(blocked.generation.Generate(GENERATE))
            while ended(running, method) != {"CANCELLED": gone}:
                pass
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_reader_that_reads_on_within_the_deadline_gets_everything(repository: Path) -> None:
    request = generation_pb2.GenerateRequest()
    request.CopyFrom(GENERATE)
    request.stopping.max_tokens = 500
    with serving(repository) as running, running.connected(options=SMALL_WINDOW) as slow:
        *chunks, last = slow.generation.Generate(request, timeout=CALL_SECONDS)
    assert sum(response.chunk.token_count for response in chunks) == last.summary.generated_tokens == 500
