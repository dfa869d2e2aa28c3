"""Streams of any length: a state of fixed size sets no limit, so the server's option does."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import grpc
import pytest
from tests.bundles import build_tiny_bundle
from tests.integration.harness import CALL_SECONDS, RunningServer, continued, fold, generate, serving, violation

from ostinato.v1 import generation_pb2 as pb
from ostinato.v1 import models_pb2

LENGTH = 20_000


def limit(server: RunningServer) -> int:
    request = models_pb2.GetModelRequest(model="char-lm")
    return server.models.GetModel(request, timeout=CALL_SECONDS).model.limits.max_new_tokens


def refused(server: RunningServer, length: int) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        fold(server.generation.Generate(continued(length), timeout=CALL_SECONDS))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return violation(caught.value)


def test_stream_may_be_as_long_as_the_server_allows(server: RunningServer) -> None:
    assert limit(server) == 1_000_000
    result = generate(server, continued(LENGTH))
    assert len(result.text) == result.summary.generated_tokens == LENGTH
    assert result.text.startswith(generate(server, continued(500)).text)
    assert refused(server, 1_000_001) == ("stopping.max_tokens", "must be between 1 and 1000000, not 1000001")


def test_request_without_a_length_ends_at_10_000_tokens(server: RunningServer) -> None:
    request = continued(1)
    request.ClearField("stopping")
    assert generate(server, request).summary.generated_tokens == 10_000


def test_option_of_the_server_bounds_every_stream(repository: Path) -> None:
    with serving(repository, max_new_tokens=30) as server:
        assert limit(server) == 30
        assert refused(server, 31) == ("stopping.max_tokens", "must be between 1 and 30, not 31")
        request = continued(1)
        request.ClearField("stopping")
        assert generate(server, request).summary.generated_tokens == 30
        start = pb.GenerateSessionRequest(start=pb.SessionStart(model="char-lm"))
        turn = pb.SessionTurn(text="a", stopping=pb.StoppingParameters(max_tokens=31))
        session = server.generation.GenerateSession(
            iter([start, pb.GenerateSessionRequest(turn=turn)]), timeout=CALL_SECONDS
        )
        with pytest.raises(grpc.RpcError) as caught:
            list(session)
        assert violation(caught.value) == ("turn.stopping.max_tokens", "must be between 0 and 30, not 31")


def test_limit_that_a_bundle_declares_holds_below_the_option(tmp_path: Path) -> None:
    folder = build_tiny_bundle(tmp_path, "generation")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["limits"]["max_new_tokens"] == 0
    manifest["limits"]["max_new_tokens"] = 12
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with serving(tmp_path) as server:
        assert limit(server) == 12
        assert refused(server, 13) == ("stopping.max_tokens", "must be between 1 and 12, not 13")


def test_deadline_ends_a_stream_of_any_length(server: RunningServer) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        fold(server.generation.Generate(continued(1_000_000), timeout=0.3))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_memory_of_the_server_does_not_grow_with_a_stream(server: RunningServer) -> None:
    request = continued(20_000)
    request.stopping.stop.append("\x00 never")
    stream = server.generation.Generate(request, timeout=CALL_SECONDS)

    def held_after(tokens: int) -> int:
        """Bytes that Python holds, of the server and of the test, once so many tokens have come."""
        for response in stream:
            if response.chunk.position >= tokens:
                break
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        early, late = held_after(3_000), held_after(15_000)
    finally:
        tracemalloc.stop()
        stream.cancel()
    assert late - early < 12_000 * 5  # a list of them alone would take eight bytes for each token
