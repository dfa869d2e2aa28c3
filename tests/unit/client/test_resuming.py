"""A broken stream is taken up with what it takes, as often as it brings something, and no more."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from tests.unit.client.fake_server import FakeServer, generated, generation_end, refuse, retry_after, shout

from ostinato.v1 import generation_pb2 as pb
from ostinato.v1 import translation_pb2
from ostinato_client import (
    AsyncClient,
    Client,
    DeadlineExceeded,
    InvalidRequest,
    OstinatoError,
    Overloaded,
    ServerError,
    Unavailable,
    aio,
    retries,
)
from ostinato_client import client as client_module

TEXT = "abcdefgh"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long they are, test_retries.py looks at."""
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(client_module, "WATCH_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(aio, "WATCH_PAUSE_SECONDS", 0.001)


def origin() -> pb.StreamOrigin:
    return pb.StreamOrigin(version=3, seed=11)


class Breaking:
    """Writes TEXT, and breaks after so many characters of each call."""

    def __init__(self, *, each: int, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        self.each = each
        self.code = code
        self.requests: list[pb.GenerateRequest] = []

    def __call__(self, request: Any, context: grpc.ServicerContext) -> Iterator[pb.GenerateResponse]:
        self.requests.append(request)
        start = len(request.resumption.token_ids)
        for position in range(start, min(start + self.each, len(TEXT))):
            message = generated(TEXT[position], position)
            if position == start:
                message.chunk.origin.CopyFrom(origin())
            yield message
        if start + self.each < len(TEXT):
            refuse(context, self.code, "gone", retry_after(1))
        yield generation_end(request, len(TEXT))


def test_a_stream_that_breaks_again_and_again_comes_whole(client: Client, fake: FakeServer) -> None:
    server = fake.generate = Breaking(each=3)
    stream = client.generate("x", temperature=0.5, stop=["!"], logprobs=True)

    assert [chunk.text for chunk in stream] == list(TEXT)
    assert stream.text() == TEXT
    first, *others = server.requests
    assert not first.HasField("resumption")
    assert not first.HasField("version")
    for number, request in enumerate(others, start=1):
        expected = pb.GenerateRequest()
        expected.CopyFrom(first)
        expected.version, expected.sampling.seed = 3, 11
        expected.resumption.token_ids.extend(range(3 * number))
        assert request == expected


async def test_the_async_client_does_the_same(async_client: AsyncClient, fake: FakeServer) -> None:
    server = fake.generate = Breaking(each=3)
    stream: AsyncIterator[Any] = async_client.generate("x")
    assert [chunk.text async for chunk in stream] == list(TEXT)
    assert [len(request.resumption.token_ids) for request in server.requests] == [0, 3, 6]


@pytest.mark.parametrize(
    ("code", "error"),
    [(grpc.StatusCode.INTERNAL, OstinatoError), (grpc.StatusCode.INVALID_ARGUMENT, InvalidRequest)],
)
def test_a_failure_of_the_servers_own_ends_a_stream(
    client: Client, fake: FakeServer, code: grpc.StatusCode, error: type[OstinatoError]
) -> None:
    server = fake.generate = Breaking(each=3, code=code)
    with pytest.raises(error):
        client.generate("x").text()
    assert len(server.requests) == 1


@pytest.mark.parametrize("build", [lambda: {"resume": False}, dict])
def test_opting_out_leaves_it_broken(fake: FakeServer, build: Callable[[], dict[str, bool]]) -> None:
    server = fake.generate = Breaking(each=3)
    choice = build()
    with Client(fake.target, timeout=10, retries=3 if choice else 0) as client:
        stream = client.generate("x", **choice)  # type: ignore[arg-type]
        with pytest.raises(Unavailable, match="gone"):
            stream.text()
    assert len(server.requests) == 1


def test_a_server_that_never_comes_back_is_told_as_such(fake: FakeServer) -> None:
    def begin(request: Any, context: grpc.ServicerContext) -> Iterator[pb.GenerateResponse]:
        message = generated("a", 0)
        message.chunk.origin.CopyFrom(origin())
        yield message
        while context.is_active():
            yield generated("b", 1)

    fake.generate = begin
    with Client(fake.target, timeout=1) as client:
        stream = client.generate("x")
        next(stream)
        fake.stop()
        with pytest.raises((Unavailable, DeadlineExceeded)) as caught:
            for _ in stream:
                pass
    assert isinstance(caught.value, Unavailable)


RESET = [
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
]
"""Codes that gRPC makes of a stream that a proxy resets, by the error code of the reset or the status of HTTP."""


class Reset:
    """Ends every call but the last without the server's metadata, as a proxy does whose replica is gone.

    Args:
        code: The status that gRPC reports.
        calls: How many calls end so.
        answer: Handles the call that follows.
    """

    def __init__(self, code: grpc.StatusCode, calls: int, answer: Any) -> None:
        self._code = code
        self.left = calls
        self._answer = answer

    def __call__(self, request: Any, context: grpc.ServicerContext) -> Any:
        if self.left:
            self.left -= 1
            context.abort(self._code, "Received RST_STREAM with error code 2")
        return self._answer(request, context)


class ResetStream(Breaking):
    """Writes TEXT; every call breaks without the server's metadata."""

    def __call__(self, request: Any, context: grpc.ServicerContext) -> Iterator[pb.GenerateResponse]:
        aborting: Any = _Aborting(context, self.code)
        yield from super().__call__(request, aborting)


class _Aborting:
    def __init__(self, context: grpc.ServicerContext, code: grpc.StatusCode) -> None:
        self._context = context
        self._code = code

    def abort_with_status(self, _: Any) -> None:
        self._context.abort(self._code, "Received RST_STREAM with error code 2")


@pytest.mark.parametrize("code", RESET)
def test_a_stream_that_a_proxy_resets_is_resumed(client: Client, fake: FakeServer, code: grpc.StatusCode) -> None:
    server = fake.generate = ResetStream(each=3, code=code)
    stream = client.generate("x")
    assert stream.text() == TEXT
    assert [len(request.resumption.token_ids) for request in server.requests] == [0, 3, 6]
    assert stream.resumptions == 2


@pytest.mark.parametrize("code", RESET)
async def test_a_stream_that_a_proxy_resets_is_resumed_awaited(
    async_client: AsyncClient, fake: FakeServer, code: grpc.StatusCode
) -> None:
    server = fake.generate = ResetStream(each=3, code=code)
    stream = async_client.generate("x")
    assert await stream.text() == TEXT
    assert [len(request.resumption.token_ids) for request in server.requests] == [0, 3, 6]
    assert stream.resumptions == 2


@pytest.mark.parametrize("code", RESET)
def test_calls_that_a_proxy_resets_before_their_answer_are_repeated(
    client: Client, fake: FakeServer, code: grpc.StatusCode
) -> None:
    for name in ("generate", "translate", "classify", "classify_batch", "list_models"):
        setattr(fake, name, Reset(code, 2, getattr(fake, name)))
    assert client.generate("abc").text() == "abc"
    assert client.translate("one").text() == "ONE"
    assert client.classify("good").text == "good"
    assert len(client.classify_batch(["good"])) == 1
    assert len(client.models()) == 1
    assert fake.attempts == 15


@pytest.mark.parametrize("code", RESET)
async def test_calls_that_a_proxy_resets_before_their_answer_are_repeated_awaited(
    async_client: AsyncClient, fake: FakeServer, code: grpc.StatusCode
) -> None:
    for name in ("generate", "translate", "classify", "classify_batch", "list_models"):
        setattr(fake, name, Reset(code, 2, getattr(fake, name)))
    assert await async_client.generate("abc").text() == "abc"
    assert await async_client.translate("one").text() == "ONE"
    assert (await async_client.classify("good")).text == "good"
    assert len(await async_client.classify_batch(["good"])) == 1
    assert len(await async_client.models()) == 1
    assert fake.attempts == 15


def test_a_change_of_models_that_may_have_happened_is_not_repeated(client: Client, fake: FakeServer) -> None:
    fake.load_model = fake.unload_model = Reset(grpc.StatusCode.INTERNAL, 2, None)
    for change in (client.load_model, client.unload_model):
        with pytest.raises(ServerError, match="RST_STREAM"):
            change("char-lm")
    assert fake.attempts == 2


class BreakingTranslation:
    """Translates as the fake server does, and breaks after so many messages of each call."""

    def __init__(self, *, each: int) -> None:
        self.each = each
        self.requests: list[translation_pb2.TranslateRequest] = []

    def __call__(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        self.requests.append(request)
        for count, message in enumerate(shout(request, context), 1):
            yield message
            if count == self.each:
                refuse(context, grpc.StatusCode.UNAVAILABLE, "gone", retry_after(1))


@pytest.mark.parametrize("each", range(2, 9))
def test_a_translation_that_breaks_again_and_again_comes_whole(client: Client, fake: FakeServer, each: int) -> None:
    text = "one two three\nfour\nfive six"
    whole = client.translate(text).result()
    server = fake.translate = BreakingTranslation(each=each)
    stream = client.translate(text, beam_size=2)

    tokens = list(stream)
    assert "".join(token.text for token in tokens) == stream.text() == text.upper()
    assert [token.sentence for token in tokens] == [0, 0, 0, 1, 2, 2]
    result = stream.result()
    assert result.sentences == whole.sentences
    assert np.array_equal(result.attention, whole.attention)  # type: ignore[arg-type]
    first, *others = server.requests
    assert not first.HasField("resumption")
    assert stream.resumptions == len(others) > 0
    for request in others:
        expected = translation_pb2.TranslateRequest()
        expected.CopyFrom(first)
        expected.version = 4
        expected.resumption.CopyFrom(request.resumption)
        assert request == expected


async def test_the_async_client_resumes_a_translation_too(async_client: AsyncClient, fake: FakeServer) -> None:
    server = fake.translate = BreakingTranslation(each=3)
    stream = async_client.translate("one two\nthree")
    assert [token.text async for token in stream] == ["ONE", " TWO", "\nTHREE"]
    assert (await stream.result()).text == "ONE TWO\nTHREE"
    places = [(request.resumption.sentence, request.resumption.position) for request in server.requests]
    assert places == [(0, 0), (0, 2), (1, 0), (2, 0)]


class Full:
    """Refuses calls as a full server does, then answers.

    Args:
        calls: How many calls are refused.
        answer: Handles the calls after those.
    """

    def __init__(self, calls: int, answer: Any) -> None:
        self.left = calls
        self._answer = answer

    def __call__(self, request: Any, context: grpc.ServicerContext) -> Any:
        if self.left:
            self.left -= 1
            refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "queue", retry_after(1))
        return self._answer(request, context)


def test_a_full_server_is_waited_for_by_streams_and_unary_calls(client: Client, fake: FakeServer) -> None:
    for name in ("generate", "translate", "classify", "classify_batch", "load_model"):
        setattr(fake, name, Full(5, getattr(fake, name)))
    assert client.generate("abc").text() == "abc"
    assert client.translate("one").text() == "ONE"
    assert client.classify("good").text == "good"
    assert len(client.classify_batch(["good"])) == 1
    assert len(client.load_model("char-lm")) == 1
    assert fake.attempts == 30


async def test_a_full_server_is_waited_for_by_streams_and_unary_calls_awaited(
    async_client: AsyncClient, fake: FakeServer
) -> None:
    for name in ("generate", "translate", "classify", "classify_batch", "load_model"):
        setattr(fake, name, Full(5, getattr(fake, name)))
    assert await async_client.generate("abc").text() == "abc"
    assert await async_client.translate("one").text() == "ONE"
    assert (await async_client.classify("good")).text == "good"
    assert len(await async_client.classify_batch(["good"])) == 1
    assert len(await async_client.load_model("char-lm")) == 1
    assert fake.attempts == 30


class FullAfterBreak(Breaking):
    """Breaks, and refuses the first calls that resume the stream."""

    left = 5

    def __call__(self, request: Any, context: grpc.ServicerContext) -> Iterator[pb.GenerateResponse]:
        if request.resumption.token_ids and self.left:
            self.left -= 1
            refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "queue", retry_after(1))
        yield from super().__call__(request, context)


def test_a_resumed_stream_waits_for_a_full_replica(client: Client, fake: FakeServer) -> None:
    fake.generate = FullAfterBreak(each=6)
    assert client.generate("x").text() == TEXT
    assert fake.attempts == 7


async def test_a_resumed_stream_waits_for_a_full_replica_awaited(async_client: AsyncClient, fake: FakeServer) -> None:
    fake.generate = FullAfterBreak(each=6)
    assert await async_client.generate("x").text() == TEXT
    assert fake.attempts == 7


def test_a_resumed_stream_raises_overloaded_when_the_replica_stays_full(client: Client, fake: FakeServer) -> None:
    class StaysFull(FullAfterBreak):
        left = 1_000_000

    fake.generate = StaysFull(each=6)
    with pytest.raises(Overloaded):
        client.generate("x", timeout=0.3).text()


def begins(request: Any, context: grpc.ServicerContext) -> Iterator[pb.GenerateResponse]:
    """Brings a character and then as many as are read."""
    message = generated("a", 0)
    message.chunk.origin.CopyFrom(origin())
    yield message
    while context.is_active():
        yield generated("b", 1)


def test_a_stream_without_a_deadline_ends_when_its_server_is_gone(
    fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "PATIENCE_SECONDS", 0.1)
    fake.generate = begins
    with Client(fake.target, timeout=math.inf) as client:
        stream = client.generate("x")
        next(stream)
        fake.stop()
        with pytest.raises(Unavailable):
            for _ in stream:
                pass


async def test_a_stream_without_a_deadline_ends_when_its_server_is_gone_awaited(
    fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "PATIENCE_SECONDS", 0.1)
    fake.generate = begins
    async with AsyncClient(fake.target, timeout=math.inf) as client:
        stream = client.generate("x")
        await anext(stream)
        await asyncio.to_thread(fake.stop)
        with pytest.raises(Unavailable):
            async for _ in stream:
                pass


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, *RESET])
def test_waiting_until_ready_survives_a_proxy_without_servers(
    client: Client, fake: FakeServer, code: grpc.StatusCode
) -> None:
    watch = fake.health.watch = Reset(code, 2, fake.health.watch)
    fake.set_serving(True)
    client.wait_until_ready(timeout=10)
    assert watch.left == 0


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, *RESET])
async def test_waiting_until_ready_survives_a_proxy_without_servers_awaited(
    async_client: AsyncClient, fake: FakeServer, code: grpc.StatusCode
) -> None:
    watch = fake.health.watch = Reset(code, 2, fake.health.watch)
    fake.set_serving(True)
    await async_client.wait_until_ready(timeout=10)
    assert watch.left == 0
