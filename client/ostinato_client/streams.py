"""Streams of the sync client: iterate for the items, ask for the result at the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Generic, Protocol, Self, TypeVar

import grpc

from ostinato_client.calls import Fold, ItemT, ResponseT, ResultT
from ostinato_client.errors import Cancelled
from ostinato_client.results import Chunk, GenerationSummary, SentimentScore, TargetToken, Translation
from ostinato_client.resumption import Resumption
from ostinato_client.statuses import error_from_call
from ostinato_client.translation import TranslationFold
from ostinato_client.transport import Transport

ResponseT_co = TypeVar("ResponseT_co", covariant=True)


class Responses(Protocol[ResponseT_co]):
    """What gRPC gives for a call whose answer is a stream."""

    def __iter__(self) -> Iterator[ResponseT_co]: ...

    def __next__(self) -> ResponseT_co: ...

    def cancel(self) -> bool:
        """Ends the call."""


class ResponseStream(Generic[ResponseT, ItemT, ResultT]):
    """The items of one call, as they arrive.

    Leaving a ``with`` block, or ``cancel()``, ends the call on the server too.
    """

    def __init__(
        self,
        call: Responses[ResponseT],
        fold: Fold[ResponseT, ItemT, ResultT],
        transport: Transport,
    ) -> None:
        self._call = call
        self._fold = fold
        self._transport = transport
        self._arrived: deque[ItemT] = deque()
        self._ended = False
        self._cancelled = False
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.cancel()

    def __iter__(self) -> Iterator[ItemT]:
        return self

    def __next__(self) -> ItemT:
        while not self._arrived:
            if self._ended:
                raise StopIteration
            if self._cancelled:
                raise Cancelled("the stream was cancelled")
            if self._error is not None:
                raise self._error
            try:
                self._read()
            except Exception as error:
                self._error = error
                raise
        return self._arrived.popleft()

    def _read(self) -> None:
        """Takes what the call brings next, or replaces the call."""
        try:
            response = next(self._call)
        except StopIteration:
            self._finish()
        except grpc.RpcError as error:
            self._transport.check_open()
            if not self._recover(error):
                raise self._failure(error) from None
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

    def _recover(self, error: grpc.RpcError) -> bool:
        """Whether the stream goes on with another call."""
        del error
        return False

    def _failure(self, error: grpc.RpcError) -> Exception:
        return error_from_call(error)

    def _result(self) -> ResultT:
        """The result; reads what is left of the stream first."""
        for _ in self:
            pass
        return self._fold.finish()


class ResumedStream(ResponseStream[Any, ItemT, ResultT]):
    """A stream that is opened again when its call fails, as its retries allow."""

    def __init__(
        self,
        fold: Fold[Any, ItemT, ResultT],
        resumption: Resumption[Responses[Any]],
        transport: Transport,
    ) -> None:
        super().__init__(resumption.open(), fold, transport)
        self._resumption = resumption

    def _recover(self, error: grpc.RpcError) -> bool:
        if self._cancelled:
            return False
        pause = self._resumption.pause(error)
        if pause is None:
            return False
        self._transport.sleep(pause)
        # The first resumption is tried at once; one that found nobody is not repeated before somebody answers.
        if self._resumption.begun and pause and not self._transport.connect(self._resumption.patience()):
            return False
        self._call = self._resumption.open()
        if self._cancelled:  # meanwhile, by another thread
            self._call.cancel()
        return True

    def _failure(self, error: grpc.RpcError) -> Exception:
        return super()._failure(self._resumption.cause(error))


class TextStream(ResponseStream[Any, Chunk, GenerationSummary]):
    """A generated text, chunk by chunk."""

    @property
    def summary(self) -> GenerationSummary:
        """How the stream ended; reads what is left of it first.

        Raises:
            OstinatoError: The stream failed.
        """
        return self._result()

    def text(self) -> str:
        """The whole generated text, whatever was read of it before; reads what is left of the stream first.

        Raises:
            OstinatoError: The stream failed.
        """
        return self._result().text


class GenerationStream(ResumedStream[Chunk, GenerationSummary], TextStream):
    """A generated text, chunk by chunk.

    ::

        with client.generate("ROMEO:", max_chars=300) as stream:
            for chunk in stream:
                print(chunk.text, end="", flush=True)
        print(stream.summary.finish_reason)

    A stream that breaks because the server is gone is resumed where it broke, as soon as a server answers: the same
    characters come as if it had never broken. Its timings are then those of the last call.
    """

    @property
    def resumptions(self) -> int:
        """How often the stream was resumed."""
        return self._resumption.count


class TranslationStream(ResumedStream[TargetToken, Translation]):
    """A translation, target token by target token.

    ::

        with client.translate("I love you.") as stream:
            for token in stream:
                print(token.text, end="", flush=True)
        print(stream.result().attention)

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

    def result(self) -> Translation:
        """The translation; reads what is left of the stream first.

        Raises:
            OstinatoError: The stream failed.
        """
        return self._result()

    def text(self) -> str:
        """The translation's text; reads what is left of the stream first.

        Raises:
            OstinatoError: The stream failed.
        """
        return self._result().text


class Sender(Generic[ItemT]):
    """Feeds a request stream from the caller's iterable, and keeps what the iterable raised.

    A failure ends the request stream, so that the answers to what was sent before still come.
    """

    def __init__(self, items: Iterable[ItemT]) -> None:
        self._items = iter(items)
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[ItemT]:
        return self

    def __next__(self) -> ItemT:
        try:
            return next(self._items)
        except StopIteration:
            raise
        except Exception as failure:
            self.failure = failure
            raise StopIteration from None


class ScoreStream(ResponseStream[Any, SentimentScore, int]):
    """The scores of a stream of texts, in the order of the texts."""

    def __init__(
        self, call: Responses[Any], fold: Fold[Any, SentimentScore, int], sender: Sender[Any], transport: Transport
    ) -> None:
        super().__init__(call, fold, transport)
        self._sender = sender

    def _finish(self) -> None:
        if self._sender.failure is not None:
            raise self._sender.failure
        super()._finish()
