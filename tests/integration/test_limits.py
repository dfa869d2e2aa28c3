"""What one connection and one caller may ask of the server."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.integration.conversation import Conversation, Dialogue
from tests.integration.harness import CALL_SECONDS, RunningServer, Stubs, continued, fold, retry_seconds, serving
from tests.integration.test_kserve import request as infer_request

from ostinato.v1 import generation_pb2 as pb
from ostinato.v1 import sentiment_pb2
from ostinato_client import AsyncClient, Client, InvalidRequest
from ostinato_client.errors import Overloaded
from ostinato_client.statuses import error_from_call

PINGING = (("grpc.keepalive_time_ms", 20), ("grpc.http2.max_pings_without_data", 0))
"""A client that pings fifty times a second, whether or not data flows."""


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def test_a_message_over_the_limit_is_refused_and_the_connection_goes_on(repository: Path) -> None:
    with serving(repository, max_message_bytes=1024) as server:
        for prompt, code in (("x" * 2000, grpc.StatusCode.RESOURCE_EXHAUSTED), ("x" * 900, None)):
            request = pb.GenerateRequest(model="char-lm", prompt=prompt, stopping=pb.StoppingParameters(max_tokens=1))
            call = server.generation.Generate(request, timeout=CALL_SECONDS)
            if code is None:
                assert len(fold(call).text) == 1
                continue
            with pytest.raises(grpc.RpcError) as caught:
                fold(call)
            assert caught.value.code() == code


def test_a_message_over_the_limit_is_an_invalid_request_and_is_sent_once(repository: Path) -> None:
    with serving(repository, max_message_bytes=1024) as server, Client(server.address) as client:
        for call in (lambda: client.classify("x" * 2000), lambda: client.generate("x" * 2000).text()):
            with pytest.raises(InvalidRequest, match="larger than max"):
                call()
        assert client.classify("fine").text == "fine"


async def test_a_message_over_the_limit_is_an_invalid_request_awaited(repository: Path) -> None:
    with serving(repository, max_message_bytes=1024) as server:
        async with AsyncClient(server.address) as client:
            with pytest.raises(InvalidRequest, match="larger than max"):
                await client.classify("x" * 2000)
            with pytest.raises(InvalidRequest, match="larger than max"):
                await client.generate("x" * 2000).text()


def test_a_timeout_longer_than_grpc_can_count_ends_no_call(server: RunningServer) -> None:
    with Client(server.address, timeout=1e10) as client:
        assert client.classify("fine").text == "fine"
        assert len(client.generate("The cat", max_chars=5, timeout=7.5e9).text()) == 5
        client.wait_until_ready(1e12)
        with client.session(timeout=1e10) as session:
            assert len(session.send("The cat", max_chars=5).text()) == 5


def test_a_caller_over_its_limit_is_refused_until_one_of_its_calls_has_ended(repository: Path) -> None:
    with serving(repository, max_requests_per_caller=2, window=4) as server:
        under_way = [server.generation.Generate(continued(10_000), timeout=CALL_SECONDS) for _ in range(2)]
        for each in under_way:
            next(each)
        # Another connection and another name that it gives itself make no other caller of it.
        with server.connected() as other, pytest.raises(grpc.RpcError) as caught:
            fold(
                other.generation.Generate(
                    continued(1), timeout=CALL_SECONDS, metadata=(("ostinato-client-id", "another"),)
                )
            )
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert retry_seconds(caught.value) == 1.0
        error = error_from_call(caught.value)
        assert isinstance(error, Overloaded)
        assert (error.reason, error.retry_after_seconds) == ("TOO_MANY_CALLS", 1.0)
        assert error.message == "the caller has 2 calls under way, its limit; retry when one has ended"
        under_way[0].cancel()
        assert len(answered(server, continued(5))) == 5
        under_way[1].cancel()


def answered(server: RunningServer, request: pb.GenerateRequest) -> str:
    """The text of a request that is made again until it is taken: the server learns of a cancelled call in its time."""
    while True:
        try:
            return fold(server.generation.Generate(request, timeout=CALL_SECONDS)).text
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise


def test_callers_are_told_apart_by_their_tokens(repository: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text("".join(f"{hashlib.sha256(t.encode()).hexdigest()} infer {t}\n" for t in ("alice", "bob")))
    with serving(repository, auth_tokens=tokens, max_requests_per_caller=1, window=4) as server:
        holder = server.generation.Generate(continued(10_000), timeout=CALL_SECONDS, metadata=bearer("alice"))
        next(holder)
        with pytest.raises(grpc.RpcError) as caught:
            fold(server.generation.Generate(continued(1), timeout=CALL_SECONDS, metadata=bearer("alice")))
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        bobs = server.generation.Generate(continued(5), timeout=CALL_SECONDS, metadata=bearer("bob"))
        assert len(fold(bobs).text) == 5
        holder.cancel()


def test_a_connection_runs_so_many_streams_and_the_next_one_waits_in_the_client(repository: Path) -> None:
    with serving(repository, max_streams_per_connection=1, window=4) as server:
        first = server.generation.Generate(continued(10_000), timeout=CALL_SECONDS)
        next(first)
        second = server.generation.Generate(continued(5), timeout=CALL_SECONDS)
        with server.connected() as other:
            assert len(fold(other.generation.Generate(continued(5), timeout=CALL_SECONDS)).text) == 5
        method = "/ostinato.v1.GenerationService/Generate"
        ended = ("ostinato_rpc_duration_seconds_count", (("code", "OK"), ("method", method)))
        assert server.scrape()[ended] == 1  # the other connection's; this one's second has not begun
        first.cancel()
        assert len(fold(second).text) == 5


def test_an_old_connection_ends_and_its_stream_does_not(repository: Path) -> None:
    with serving(repository, max_connection_age_seconds=0.2, window=4) as server, server.connected() as aged:
        ended = ageing(aged)
        streaming = aged.generation.Generate(continued(10_000), timeout=CALL_SECONDS)
        first = next(streaming)
        assert ended.wait(CALL_SECONDS)
        assert len(fold(chain([first], streaming)).text) == 10_000


def session_turn(stubs: Stubs) -> Callable[[], object]:
    conversation = Conversation(stubs)
    return lambda: conversation.turn("The cat", most=2)


def scored_text(stubs: Stubs) -> Callable[[], object]:
    stream: Dialogue[Any, Any] = Dialogue(stubs.sentiment.ClassifyStream)

    def ask() -> object:
        stream.send(sentiment_pb2.ClassifyStreamRequest(model="sentiment", text="good"))
        return stream.read()

    return ask


def streamed_inference(stubs: Stubs) -> Callable[[], object]:
    stream: Dialogue[Any, Any] = Dialogue(stubs.inference.ModelStreamInfer)

    def ask() -> object:
        stream.send(infer_request("sentiment", "text", ["good"]))
        return stream.read()

    return ask


@pytest.mark.parametrize("begin", [session_turn, scored_text, streamed_inference])
def test_open_stream_outlives_the_age_of_its_connection(
    repository: Path, begin: Callable[[Stubs], Callable[[], object]]
) -> None:
    ages = {"max_connection_age_seconds": 0.1, "max_deadline_seconds": 0.2}
    with serving(repository, **ages) as server, server.connected() as aged:
        ended = ageing(aged)
        ask = begin(aged)
        ask()
        assert ended.wait(CALL_SECONDS)
        longest = time.monotonic() + 1.0  # far more than age and deadline together
        while time.monotonic() < longest:
            ask()


def ageing(stubs: Stubs) -> threading.Event:
    """Set once the channel has lost the connection that it had."""
    ended = threading.Event()
    states: list[grpc.ChannelConnectivity] = []

    def changed(state: grpc.ChannelConnectivity) -> None:
        if grpc.ChannelConnectivity.READY in states and state is not grpc.ChannelConnectivity.READY:
            ended.set()
        states.append(state)

    stubs.channel.subscribe(changed)
    return ended


def test_a_connection_that_pings_too_often_is_closed(repository: Path) -> None:
    with serving(repository, min_ping_interval_seconds=60.0) as server, server.connected(options=PINGING) as eager:
        method = health_pb2_grpc.HealthStub(eager.channel).Watch  # type: ignore[attr-defined]
        watch = method(health_pb2.HealthCheckRequest(), timeout=CALL_SECONDS)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as caught:
            next(watch)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "ping" in str(caught.value.details()).lower()
