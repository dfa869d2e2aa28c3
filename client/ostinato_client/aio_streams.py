"""Streams of the async client: the twins of :mod:`ostinato_client.streams`, awaited."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any, Generic, Protocol, Self, TypeVar

import grpc

from ostinato_client.aio_transport import AsyncTransport
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

    def __init__(
        self,
        call: AsyncResponses[ResponseT],
        fold: Fold[ResponseT, ItemT, ResultT],
        transport: AsyncTransport,
    ) -> None:
        self._call = call
        self._fold = fold
        self._transport = transport
        self._arrived: deque[ItemT] = deque()
        self._ended = False
        self._cancelled = False
        self._error: Exception | None = None

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
            if self._error is not None:
                raise self._error
            try:
                await self._read()
            except Exception as error:
                self._error = error
                raise
        return self._arrived.popleft()

    async def _read(self) -> None:
        """Takes what the call brings next, or replaces the call."""
        try:
            response = await self._transport.read(self._call)
        except grpc.RpcError as error:
            self._transport.check_open()
            if not await self._recover(error):
                raise self._failure(error) from None
            return
        if response is grpc.aio.EOF:
            self._finish()
        else:
            self._arrived.extend(self._fold.feed(response))

    def _finish(self) -> None:
        """Notes that the call has ended well."""
        self._ended = True

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

    def _failure(self, error: grpc.RpcError) -> Exception:
        return error_from_call(error)

    async def _result(self) -> ResultT:
        """The result; reads what is left of the stream first."""
        async for _ in self:
            pass
        return self._fold.finish()


class AsyncResumedStream(AsyncResponseStream[Any, ItemT, ResultT]):
    """A stream that is opened again when its call fails, as its retries allow."""

    def __init__(
        self,
        fold: Fold[Any, ItemT, ResultT],
        resumption: Resumption[AsyncResponses[Any]],
        transport: AsyncTransport,
    ) -> None:
        super().__init__(resumption.open(), fold, transport)
        self._resumption = resumption

    async def _recover(self, error: grpc.RpcError) -> bool:
        if self._cancelled:
            return False
        pause = self._resumption.pause(error)
        if pause is None:
            return False
        await self._transport.sleep(pause)
        # The first resumption is tried at once; one that found nobody is not repeated before somebody answers.
        if self._resumption.begun and pause and not await self._transport.connect(self._resumption.patience()):
            return False
        if not self._cancelled:
            self._call = self._resumption.open()
        return True

    def _failure(self, error: grpc.RpcError) -> Exception:
        return super()._failure(self._resumption.cause(error))


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


class AsyncGenerationStream(AsyncResumedStream[Chunk, GenerationSummary], AsyncTextStream):
    """A generated text, chunk by chunk.

    ::

        async with client.generate("ROMEO:", max_chars=300) as stream:
            async for chunk in stream:
                print(chunk.text, end="", flush=True)
            print((await stream.summary()).finish_reason)

    A stream that breaks because the server is gone is resumed where it broke, as soon as a server answers: the same
    characters come as if it had never broken. Its timings are then those of the last call.
    """

    @property
    def resumptions(self) -> int:
        """How often the stream was resumed."""
        return self._resumption.count


class AsyncTranslationStream(AsyncResumedStream[TargetToken, Translation]):
    """A translation, target token by target token.

    ::

        async with client.translate("I love you.") as stream:
            async for token in stream:
                print(token.text, end="", flush=True)
            print((await stream.result()).attention)

    The tokens of several sentences come one sentence after another. A stream that breaks because the server is gone is
    resumed where it broke, as soon as a server answers; the text is the same as if it had never broken.
    """

    _fold: TranslationFold

    @property
    def source_tokens(self) -> tuple[str, ...]:
        """The sentence that is being translated, as the model reads it; empty until the first token has come."""
        return self._fold.source_tokens

    @property
    def resumptions(self) -> int:
        """How often the stream was resumed."""
        return self._resumption.count

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

    A failure ends the request stream, so that the answers to what was sent before still come.
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
            raise StopAsyncIteration from None


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
        self,
        call: AsyncResponses[Any],
        fold: Fold[Any, SentimentScore, int],
        sender: AsyncSender[Any],
        transport: AsyncTransport,
    ) -> None:
        super().__init__(call, fold, transport)
        self._sender = sender

    def _finish(self) -> None:
        if self._sender.failure is not None:
            raise self._sender.failure
        super()._finish()
