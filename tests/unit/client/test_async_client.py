"""The async client: what differs from its twin is only how it waits."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from tests.unit.client.fake_server import FakeServer, generated, refuse, retry_after

from ostinato_client import (
    AsyncClient,
    Cancelled,
    Client,
    ConnectionFailed,
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    Refused,
    Sentiment,
    ServerError,
    Unavailable,
)


async def test_generate_streams_then_sums_up(async_client: AsyncClient) -> None:
    stream = async_client.generate("abc", max_chars=5, seed=9)
    assert [chunk.text async for chunk in stream] == list("abcab")
    summary = await stream.summary()
    assert (summary.text, summary.seed, summary.generated_tokens) == ("abcab", 9, 5)
    assert await stream.text() == "abcab"


async def test_many_streams_on_one_connection_do_not_mix(async_client: AsyncClient) -> None:
    texts = await asyncio.gather(*(async_client.generate(str(number), max_chars=20).text() for number in range(10)))
    assert texts == [str(number) * 20 for number in range(10)]


def endless(ended: threading.Event) -> Any:
    def generate(_: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        context.add_callback(ended.set)
        yield generated("x", 0)
        ended.wait(10)

    return generate


async def test_leaving_the_block_cancels_the_call_on_the_server(async_client: AsyncClient, fake: FakeServer) -> None:
    ended = threading.Event()
    fake.generate = endless(ended)
    async with async_client.generate("a") as stream:
        assert (await anext(stream)).text == "x"
    assert await asyncio.to_thread(ended.wait, 10)
    with pytest.raises(Cancelled):
        await anext(stream)


async def test_cancel_wakes_a_reader_with_cancelled_not_cancelled_error(
    async_client: AsyncClient, fake: FakeServer
) -> None:
    fake.generate = endless(threading.Event())
    stream = async_client.generate("a")
    await anext(stream)
    reader = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    stream.cancel()
    with pytest.raises(Cancelled):
        await reader


async def test_cancelling_the_readers_task_stays_a_cancelled_task(async_client: AsyncClient, fake: FakeServer) -> None:
    ended = threading.Event()
    fake.generate = endless(ended)
    stream = async_client.generate("a")
    await anext(stream)
    reader = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert reader.cancelled()


async def test_a_stream_that_has_begun_is_never_repeated(async_client: AsyncClient, fake: FakeServer) -> None:
    def breaks(_: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        yield generated("x", 0)
        refuse(context, grpc.StatusCode.UNAVAILABLE, "draining", retry_after(1))

    fake.generate = breaks
    stream = async_client.generate("abc")
    await anext(stream)
    with pytest.raises(Unavailable, match="draining"):
        await anext(stream)
    assert fake.attempts == 1


async def test_a_stream_without_a_summary_is_the_servers_fault(async_client: AsyncClient, fake: FakeServer) -> None:
    fake.generate = lambda *_: iter([generated("x", 0)])
    with pytest.raises(ServerError, match="ended without a summary"):
        await async_client.generate("a").text()


async def test_classify_and_batch(async_client: AsyncClient) -> None:
    assert (await async_client.classify("good")).sentiment is Sentiment.POSITIVE
    scores = await async_client.classify_batch(["good", "bad"])
    assert [score.positive_probability for score in scores] == [0.75, 0.25]


async def test_classify_stream_takes_both_kinds_of_iterable(async_client: AsyncClient) -> None:
    async def texts() -> AsyncIterator[str]:
        for number in range(20):
            yield f"text {number}"

    from_async = [score.text async for score in async_client.classify_stream(texts())]
    from_list = [score.text async for score in async_client.classify_stream([f"text {n}" for n in range(20)])]
    assert from_async == from_list == [f"text {number}" for number in range(20)]


async def test_classify_stream_gives_the_scores_before_a_bad_text(async_client: AsyncClient) -> None:
    scores = async_client.classify_stream(["good", ""])
    assert (await anext(scores)).text == "good"
    with pytest.raises(InvalidRequest):
        await anext(scores)


async def test_classify_stream_raises_what_its_texts_raise(async_client: AsyncClient) -> None:
    async def texts() -> AsyncIterator[str]:
        yield "good"
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        _ = [score async for score in async_client.classify_stream(texts())]


async def test_translate_gives_tokens_then_the_whole(async_client: AsyncClient) -> None:
    stream = async_client.translate("one two")
    assert [token.text async for token in stream] == ["ONE", " TWO"]
    translation = await stream.result()
    assert (translation.text, stream.source_tokens) == ("ONE TWO", ("one", "two"))
    assert translation.attention is not None
    assert translation.attention.tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert await stream.text() == "ONE TWO"


async def test_models_and_errors(async_client: AsyncClient) -> None:
    assert [model.name for model in await async_client.models()] == ["char-lm"]
    assert (await async_client.model("char-lm")).version == 3
    with pytest.raises(ModelNotFound):
        await async_client.model("nobody")


async def test_models_are_loaded_and_unloaded(async_client: AsyncClient, fake: FakeServer) -> None:
    assert [model.name for model in await async_client.load_model("char-lm", version=3)] == ["char-lm"]
    assert await async_client.unload_model("char-lm") == []
    assert [request.HasField("version") for request in fake.requests] == [True, False]
    assert [entry.version for entry in await async_client.repository()] == [3, 4]
    with pytest.raises(Refused):
        await async_client.load_model("char-lm", version=4)


async def test_nobody_there_is_a_failed_connection(fake: FakeServer) -> None:
    fake.stop()
    async with AsyncClient(fake.target, timeout=10) as client:
        with pytest.raises(ConnectionFailed):
            await client.models()


async def test_wait_until_ready(async_client: AsyncClient, fake: FakeServer) -> None:
    fake.set_serving(False)
    with pytest.raises(DeadlineExceeded):
        await async_client.wait_until_ready(timeout=0.1)
    waiting = asyncio.ensure_future(async_client.wait_until_ready(timeout=10))
    await asyncio.to_thread(fake.set_serving, True)
    await waiting
    assert await async_client.is_ready()


def test_the_twins_take_the_same_arguments() -> None:
    methods = [name for name in vars(Client) if not name.startswith("_")]
    assert methods == [name for name in vars(AsyncClient) if not name.startswith("_")]
    for name in methods:
        one, other = inspect.signature(getattr(Client, name)), inspect.signature(getattr(AsyncClient, name))
        assert list(one.parameters) == list(other.parameters), name
        assert [each.default for each in one.parameters.values()] == [
            each.default for each in other.parameters.values()
        ], name
