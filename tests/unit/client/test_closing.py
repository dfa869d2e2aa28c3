"""What a closed client, and what was open when it was closed, says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2
from tests.unit.client.fake_server import FakeServer, generated, refuse

from ostinato.v1 import generation_pb2
from ostinato_client import AsyncClient, Cancelled, Client

UNARY: dict[str, Callable[[Any], Any]] = {
    "classify": lambda client: client.classify("a"),
    "classify_batch": lambda client: client.classify_batch(["a"]),
    "models": lambda client: client.models(),
    "model": lambda client: client.model("char-lm"),
    "repository": lambda client: client.repository(),
    "load_model": lambda client: client.load_model("char-lm"),
    "unload_model": lambda client: client.unload_model("char-lm"),
    "is_ready": lambda client: client.is_ready(),
    "wait_until_ready": lambda client: client.wait_until_ready(10),
}
STREAMS: dict[str, Callable[[Any], Any]] = {
    "generate": lambda client: client.generate("a"),
    "translate": lambda client: client.translate("a"),
    "classify_stream": lambda client: client.classify_stream(["a"]),
    "classify_incremental": lambda client: client.classify_incremental(["a"]),
    "session": lambda client: client.session(),
}


def test_every_method_is_tried() -> None:
    methods = {name for name in vars(Client) if not name.startswith("_")}
    assert methods - {"close"} == set(UNARY) | set(STREAMS)


@pytest.mark.parametrize("name", [*UNARY, *STREAMS])
def test_a_closed_client_says_so(client: Client, fake: FakeServer, name: str) -> None:
    client.close()
    with pytest.raises(Cancelled, match="the client is closed"):
        {**UNARY, **STREAMS}[name](client)
    client.close()
    assert fake.attempts == 0


async def test_a_closed_client_says_so_awaited(async_client: AsyncClient, fake: FakeServer) -> None:
    await async_client.close()
    for call in STREAMS.values():
        with pytest.raises(Cancelled, match="the client is closed"):
            call(async_client)
    for call in UNARY.values():
        with pytest.raises(Cancelled, match="the client is closed"):
            await call(async_client)
    await async_client.close()
    assert fake.attempts == 0


def far_off() -> error_details_pb2.RetryInfo:
    return error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=30))


def endless(_: Any, context: grpc.ServicerContext) -> Iterator[Any]:
    ended = threading.Event()
    context.add_callback(ended.set)
    yield generated("x", 0)
    ended.wait(10)


def answers_a_turn(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
    for request in requests:
        if request.HasField("turn"):
            yield generation_pb2.GenerateSessionResponse(summary=generation_pb2.GenerationSummary())


def test_a_stream_that_is_open_when_its_client_is_closed_is_cancelled(client: Client, fake: FakeServer) -> None:
    fake.generate = endless
    stream = client.generate("a")
    next(stream)
    client.close()
    for _ in range(2):
        with pytest.raises(Cancelled):
            next(stream)


def test_scores_that_are_open_when_their_client_is_closed_are_cancelled(client: Client) -> None:
    more = threading.Event()

    def texts() -> Iterator[str]:
        yield "good"
        more.wait(10)

    scores = client.classify_stream(texts())
    next(scores)
    client.close()
    with pytest.raises(Cancelled):
        next(scores)
    more.set()


def test_a_session_that_is_open_when_its_client_is_closed_is_cancelled(client: Client, fake: FakeServer) -> None:
    fake.generate_session = answers_a_turn
    session = client.session()
    session.send("a").text()
    client.close()
    with pytest.raises(Cancelled, match="the client is closed"):
        session.send("b")
    session.close()


async def test_what_is_open_when_the_client_is_closed_is_cancelled_awaited(
    async_client: AsyncClient, fake: FakeServer
) -> None:
    fake.generate, fake.generate_session = endless, answers_a_turn
    more = asyncio.Event()

    async def texts() -> AsyncIterator[str]:
        yield "good"
        await more.wait()

    stream, scores, session = (
        async_client.generate("a"),
        async_client.classify_stream(texts()),
        async_client.session(),
    )
    await anext(stream)
    await anext(scores)
    await session.send("a").text()
    await async_client.close()
    for opened in (stream, scores, stream):
        with pytest.raises(Cancelled):
            await anext(opened)
    with pytest.raises(Cancelled, match="the client is closed"):
        session.send("b")
    await session.close()


def test_closing_ends_the_wait_for_a_full_server(client: Client, fake: FakeServer) -> None:
    refused = threading.Event()

    def full(_: Any, context: grpc.ServicerContext) -> Any:
        refused.set()
        refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "queue", far_off())

    fake.classify = full

    def close() -> None:
        refused.wait(10)
        client.close()

    closing = threading.Thread(target=close)
    closing.start()
    with pytest.raises(Cancelled):
        client.classify("good", timeout=60)
    closing.join()


async def test_closing_ends_the_wait_for_a_full_server_awaited(async_client: AsyncClient, fake: FakeServer) -> None:
    refused = threading.Event()

    def full(_: Any, context: grpc.ServicerContext) -> Any:
        refused.set()
        refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "queue", far_off())

    fake.classify = full
    waiting = asyncio.ensure_future(async_client.classify("good", timeout=60))
    await asyncio.to_thread(refused.wait, 10)
    await async_client.close()
    with pytest.raises(Cancelled):
        await waiting


async def test_cancelling_the_task_of_a_unary_call_stays_a_cancelled_task(
    async_client: AsyncClient, fake: FakeServer
) -> None:
    began, ended = threading.Event(), threading.Event()

    def slow(_: Any, context: grpc.ServicerContext) -> Any:
        context.add_callback(ended.set)
        began.set()
        ended.wait(10)

    fake.classify = slow
    waiting = asyncio.ensure_future(async_client.classify("good"))
    await asyncio.to_thread(began.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.to_thread(ended.wait, 10)
