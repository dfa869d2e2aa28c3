"""Streams of the async client: the twins of :mod:`ostinato_client.streams`, awaited."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any, Generic, Protocol, Self, TypeVar

import grpc

from ostinato_client.calls import Fold, ItemT, ResponseT, ResultT
from ostinato_client.errors import Cancelled
from ostinato_client.results import Chunk, GenerationSummary, SentimentScore, TargetToken, Translation
from ostinato_client.resumption import Resumption
from ostinato_client.statuses import error_from_call
from ostinato_client.translation import TranslationFold

ResponseT_co = TypeVar("ResponseT_co", covariant=True)


class AsyncResponses(Protocol[ResponseT_co]):
    """What grpc.aio gives for a call whose answer is a stream."""

    async def read(self) -> Any:
        """The next message, or ``grpc.aio.EOF``."""

    def cancel(self) -> bool:
        """Ends the call."""


class AsyncResponseStream(Generic[ResponseT, ItemT, ResultT]):
    """The items of one call, as they arrive.

    Leaving an ``async with`` block, or ``cancel()``, ends the call on the server too.
    """

    def __init__(self, call: AsyncResponses[ResponseT], fold: Fold[ResponseT, ItemT, ResultT]) -> None:
        self._call = call
        self._fold = fold
        self._arrived: deque[ItemT] = deque()
        self._ended = False
        self._cancelled = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.cancel()

    def __aiter__(self) -> AsyncIterator[ItemT]:
        return self

    async def __anext__(self) -> ItemT:
        while not self._arrived:
            if self._ended:
                raise StopAsyncIteration
            if self._cancelled:
                raise Cancelled("the stream was cancelled")
            try:
                response = await self._call.read()
            except grpc.RpcError as error:
                if await self._recover(error):
                    continue
                raise self._failure(error_from_call(self._cause(error))) from None
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():  # the caller's task is what was cancelled, not the call
                    raise
                raise self._failure(Cancelled("the stream was cancelled")) from None
            if response is grpc.aio.EOF:
                self._ended = True
            else:
                self._arrived.extend(self._fold.feed(response))
        return self._arrived.popleft()

    def cancel(self) -> None:
        """Ends the call; does nothing once it has ended. Items are no longer given out."""
        if not self._ended:
            self._cancelled = True
            self._arrived.clear()
            self._call.cancel()

    async def _recover(self, error: grpc.RpcError) -> bool:
        """Whether the stream goes on with another call."""
        del error
        return False

    def _cause(self, error: grpc.RpcError) -> grpc.RpcError:
        return error

    def _failure(self, error: Exception) -> Exception:
        return error

    async def _result(self) -> ResultT:
        """The result; reads what is left of the stream first."""
        async for _ in self:
            pass
        return self._fold.finish()


class AsyncTextStream(AsyncResponseStream[Any, Chunk, GenerationSummary]):
    """A generated text, chunk by chunk."""

    async def summary(self) -> GenerationSummary:
        """How the stream ended; reads what is left of it first.

        Raises:
            OstinatoError: The stream failed.
        """
        return await self._result()

    async def text(self) -> str:
        """The whole generated text, whatever was read of it before; reads what is left of the stream first.

        Raises:
            OstinatoError: The stream failed.
        """
        return (await self._result()).text


class AsyncGenerationStream(AsyncTextStream):
    """A generated text, chunk by chunk.

    ::

        async with client.generate("ROMEO:", max_chars=300) as stream:
            async for chunk in stream:
                print(chunk.text, end="", flush=True)
            print((await stream.summary()).finish_reason)

    A stream that breaks because the server is gone is taken up where it broke, as soon as a server answers: the same
    characters come as if it had never broken. Its timings are then those of the last call.
    """

    def __init__(
        self,
        call: AsyncResponses[Any],
        fold: Fold[Any, Chunk, GenerationSummary],
        resumption: Resumption[AsyncResponses[Any]],
    ) -> None:
        super().__init__(call, fold)
        self._resumption = resumption

    @property
    def resumptions(self) -> int:
        """How often the stream was resumed."""
        return self._resumption.count

    async def _recover(self, error: grpc.RpcError) -> bool:
        pause = self._resumption.pause(error)
        if pause is None or self._cancelled:
            return False
        await asyncio.sleep(pause)
        if not self._cancelled:
            self._call = self._resumption.again()
        return True

    def _cause(self, error: grpc.RpcError) -> grpc.RpcError:
        return self._resumption.cause(error)


class AsyncTranslationStream(AsyncResponseStream[Any, TargetToken, Translation]):
    """A translation, target token by target token.

    ::

        async with client.translate("I love you.") as stream:
            async for token in stream:
                print(token.text, end="", flush=True)
            print((await stream.result()).attention)
    """

    _fold: TranslationFold

    @property
    def source_tokens(self) -> tuple[str, ...]:
        """The source as the model reads it; empty until the first token has come."""
        return self._fold.source_tokens

    async def result(self) -> Translation:
        """The translation; reads what is left of the stream first.

        Raises:
            OstinatoError: The stream failed.
        """
        return await self._result()

    async def text(self) -> str:
        """The translation's text; reads what is left of the stream first.

        Raises:
            OstinatoError: The stream failed.
        """
        return (await self._result()).text


class AsyncSender(Generic[ItemT]):
    """Feeds a request stream from the caller's iterable, and keeps what the iterable raised.

    grpc.aio drains it in a task of its own and reports a failure there only as a cancelled call.
    """

    def __init__(self, items: AsyncIterable[ItemT]) -> None:
        self._items = aiter(items)
        self.failure: Exception | None = None

    def __aiter__(self) -> AsyncIterator[ItemT]:
        return self

    async def __anext__(self) -> ItemT:
        try:
            return await anext(self._items)
        except StopAsyncIteration:
            raise
        except Exception as failure:
            self.failure = failure
            raise


async def each_of(items: Iterable[ItemT] | AsyncIterable[ItemT]) -> AsyncIterator[ItemT]:
    """The items of either kind of iterable."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


class AsyncScoreStream(AsyncResponseStream[Any, SentimentScore, int]):
    """The scores of a stream of texts, in the order of the texts."""

    def __init__(
        self, call: AsyncResponses[Any], fold: Fold[Any, SentimentScore, int], sender: AsyncSender[Any]
    ) -> None:
        super().__init__(call, fold)
        self._sender = sender

    def _failure(self, error: Exception) -> Exception:
        return self._sender.failure or error
