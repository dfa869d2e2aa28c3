"""The reader's end of a stream: tokens wait here, boundedly, until the reader takes them all at once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from types import TracebackType

from ostinato_server.engine.admission import Admission
from ostinato_server.engine.decode import Cancel, DecodeEngine, Grant, Submit
from ostinato_server.engine.outbox import Delivery
from ostinato_server.engine.request import Finished, GeneratedToken, Priority
from ostinato_server.engine.sequence import EngineSequence


class TokenStream:
    """The tokens of one request, as an asynchronous context manager that leaves nothing running behind it.

    Args:
        stream_id: The engine's id of the stream.
        priority: Its class.
        window: Tokens that may wait here before the engine parks the stream.
        post: Sends a message to the engine.
    """

    def __init__(self, stream_id: int, priority: Priority, window: int, post: Callable[[object], None]) -> None:
        self.id = stream_id
        self.priority = priority
        self.finished: Finished | None = None
        """How the stream ended; set once the last tokens were read."""
        self._window = window
        self._post = post
        self._tokens: list[GeneratedToken] = []
        self._taken = 0
        self._end: Finished | Exception | None = None
        self._arrival = asyncio.Event()

    async def read(self) -> list[GeneratedToken]:
        """Waits for tokens and takes all that are there; nothing means that the stream has ended.

        Raises:
            ServerError: The stream ended with an error; all tokens before it have been read.
        """
        await self._arrival.wait()
        tokens, self._tokens = self._tokens, []
        if self._end is None:
            self._arrival.clear()
            self._taken += len(tokens)
            # Credit goes back in halves of the window, so that a busy stream costs few messages.
            if self._taken * 2 >= self._window:
                self._post(Grant(self.id, self._taken))
                self._taken = 0
        elif not tokens:
            if isinstance(self._end, Exception):
                raise self._end
            self.finished = self._end
        return tokens

    def put(self, delivery: Delivery) -> None:
        """Takes what the engine delivers; called on the event loop."""
        self._tokens.extend(delivery.tokens)
        if delivery.end is not None:
            self._end = delivery.end
        self._arrival.set()

    @property
    def served_seconds(self) -> float | None:
        """From its slot to its end; none when it did not come to one."""
        return self._end.total_seconds - self._end.queue_seconds if isinstance(self._end, Finished) else None

    @property
    def ended(self) -> bool:
        """Whether the engine is done with the stream."""
        return self._end is not None


class DecodeClient:
    """The event loop's side of a decode engine: opens streams and hands deliveries out to them.

    Args:
        admission: Refuses what is over the bound.
        window: Tokens that a reader may lag behind.
        clock: Seconds, monotonic, the engine's.
    """

    def __init__(self, admission: Admission, window: int, clock: Callable[[], float]) -> None:
        self.admission = admission
        self._window = window
        self._clock = clock
        self._streams: dict[int, TokenStream] = {}
        self._ids = itertools.count(1)
        self._engine: DecodeEngine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def connect(self, engine: DecodeEngine, loop: asyncio.AbstractEventLoop) -> None:
        """Ties the two sides together."""
        self._engine = engine
        self._loop = loop

    def disconnect(self) -> None:
        """Lets go of an engine that has ended: the two hold each other."""
        self._engine = None

    def deliver(self, deliveries: list[Delivery]) -> None:
        """Takes deliveries from the engine's thread to the event loop, one wake-up for all."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._hand_out, deliveries)

    def open(self, make: Callable[[int, float], EngineSequence]) -> OpenStream:
        """The scope of a request; it is submitted when the scope is entered.

        Args:
            make: Makes the engine's sequence from its id and the time of arrival.
        """
        return OpenStream(self, make)

    def begin(self, make: Callable[[int, float], EngineSequence]) -> TokenStream:
        """Hands a sequence to the engine and gives its stream.

        Raises:
            Overloaded: The queue is full.
            DeadlineUnreachable: It is too long for the sequence's deadline.
        """
        assert self._engine is not None  # noqa: S101 (connected before the server takes requests)
        now = self._clock()
        sequence = make(next(self._ids), now)
        priority = Priority(sequence.priority)
        self.admission.enter(priority=priority, deadline=sequence.deadline)
        stream = TokenStream(sequence.id, priority, self._window, self._engine.post)
        self._streams[sequence.id] = stream
        self._engine.post(Submit(sequence, self._window))
        return stream

    def end(self, stream: TokenStream) -> None:
        """Forgets a stream; if it still runs, the engine frees its slot after the steps that it is making."""
        del self._streams[stream.id]
        if not stream.ended and self._engine is not None:
            self._engine.post(Cancel(stream.id))
        self.admission.leave(stream.priority, stream.served_seconds)

    def _hand_out(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            stream = self._streams.get(delivery.stream_id)
            if stream is not None:
                stream.put(delivery)


class OpenStream:
    """``async with`` scope of a stream: whatever ends the scope, the slot and the place in the queue are given back."""

    def __init__(self, client: DecodeClient, make: Callable[[int, float], EngineSequence]) -> None:
        self._client = client
        self._make = make
        self._stream: TokenStream | None = None

    async def __aenter__(self) -> TokenStream:
        """Submits the request.

        Raises:
            Overloaded: The queue is full.
            DeadlineUnreachable: It is too long for the request's deadline.
        """
        self._stream = self._client.begin(self._make)
        return self._stream

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Cancels what still runs."""
        if self._stream is not None:
            self._client.end(self._stream)
