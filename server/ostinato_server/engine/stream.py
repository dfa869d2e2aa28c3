"""The reader's end of a stream: tokens wait here, boundedly, until the reader takes them all at once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TypeAlias

from ostinato_server.engine.admission import Admission
from ostinato_server.engine.decode import Cancel, DecodeEngine, Grant, Submit
from ostinato_server.engine.observer import RequestObserver
from ostinato_server.engine.outbox import Delivery
from ostinato_server.engine.request import Finished, GeneratedToken, Milestones, Priority
from ostinato_server.engine.sequence import EngineSequence

MakeSequence: TypeAlias = Callable[[int, float], EngineSequence]
"""Makes the engine's side of a request from its id and the time of its arrival."""


class TokenStream:
    """The tokens of one request, as an asynchronous context manager that leaves nothing running behind it.

    Args:
        sequence: The engine's side of it.
        window: Tokens that may wait here before the engine parks the stream.
        post: Sends a message to the engine.
    """

    def __init__(self, sequence: EngineSequence, window: int, post: Callable[[object], None]) -> None:
        self.id = sequence.id
        self.priority = Priority(sequence.priority)
        self.width = sequence.width
        self._sequence = sequence
        self.finished: Finished | None = None
        """How the stream ended; set once the last tokens were read."""
        self._window = window
        self._post = post
        self._tokens: list[GeneratedToken] = []
        self._taken = 0
        self._end: Finished | Exception | None = None
        self._given_up = False
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
        if self._given_up:
            return
        self._tokens.extend(delivery.tokens)
        if delivery.end is not None:
            self._end = delivery.end
        self._arrival.set()

    def give_up(self, error: Exception) -> None:
        """Ends with an error, unless it has ended, since the engine does not say how it goes on."""
        if self._end is None:
            self._given_up = True
            self._end = error
            self._arrival.set()

    @property
    def milestones(self) -> Milestones:
        """How far it has come; the engine writes these times, one by one, while it runs."""
        sequence, end = self._sequence, self._end
        done = sequence.arrival + end.total_seconds if isinstance(end, Finished) else 0.0
        return Milestones(sequence.arrival, sequence.admitted_at, sequence.first_token_at, done)

    @property
    def served_seconds(self) -> float | None:
        """From its slot to its end; none when it did not come to one."""
        return self._end.total_seconds - self._end.queue_seconds if isinstance(self._end, Finished) else None

    @property
    def ended(self) -> bool:
        """Whether the engine is done with the stream."""
        return self._end is not None and not self._given_up


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
        self._suspended: Callable[[], Exception] | None = None
        self._engine: DecodeEngine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def connect(self, engine: DecodeEngine, loop: asyncio.AbstractEventLoop) -> None:
        """Ties the two sides together."""
        self._engine = engine
        self._loop = loop

    def disconnect(self) -> None:
        """Lets go of an engine that has ended: the two hold each other."""
        self._engine = None

    def suspend(self, why: Callable[[], Exception]) -> None:
        """Ends every stream with an error and refuses new ones with it, until `resume`."""
        self._suspended = why
        for stream in self._streams.values():
            stream.give_up(why())

    def resume(self) -> None:
        """Takes streams again."""
        self._suspended = None

    def deliver(self, deliveries: list[Delivery]) -> None:
        """Takes deliveries from the engine's thread to the event loop, one wake-up for all."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._hand_out, deliveries)

    def open(self, make: MakeSequence, observer: RequestObserver | None = None) -> OpenStream:
        """The scope of a request; it is submitted when the scope is entered.

        Args:
            make: Makes the engine's sequence from its id and the time of arrival.
            observer: Told at the end of the scope how far the request came.
        """
        return OpenStream(self, make, observer)

    def begin(self, makes: Sequence[MakeSequence], trace_id: str = "") -> list[TokenStream]:
        """Hands sequences of one request to the engine, all or none, and gives their streams.

        Args:
            makes: Makes each sequence, at least one, from its id and the time of arrival.
            trace_id: The trace that the request is kept in; empty for none.

        Raises:
            Overloaded: The queue is full.
            DeadlineUnreachable: It is too long for the request's deadline.
            Exception: What the client is suspended with.
        """
        if self._suspended is not None:
            raise self._suspended()
        now = self._clock()
        sequences = [make(next(self._ids), now) for make in makes]
        first, slots = sequences[0], sum(sequence.width for sequence in sequences)
        self.admission.enter(slots, priority=Priority(first.priority), deadline=first.deadline)
        return [self._submit(sequence, trace_id) for sequence in sequences]

    def replace(self, stream: TokenStream, make: MakeSequence, trace_id: str = "") -> TokenStream:
        """Ends a stream that was read to its end; another of the same request, as wide, takes its place at once.

        The request stays admitted: it can be refused before its first token and not in its middle.

        Raises:
            Exception: What the client is suspended with; the stream has ended nevertheless.
        """
        if self._suspended is not None:
            self.end(stream)
            raise self._suspended()
        del self._streams[stream.id]
        if stream.served_seconds is not None:
            self.admission.served(stream.served_seconds, stream.width)
        return self._submit(make(next(self._ids), self._clock()), trace_id)

    def end(self, stream: TokenStream) -> None:
        """Forgets a stream; if it still runs, the engine frees its slot after the steps that it is making."""
        del self._streams[stream.id]
        if not stream.ended and self._engine is not None:
            self._engine.post(Cancel(stream.id))
        self.admission.leave(stream.priority, stream.served_seconds, stream.width)

    def _submit(self, sequence: EngineSequence, trace_id: str) -> TokenStream:
        assert self._engine is not None  # noqa: S101 (connected before the server takes requests)
        sequence.trace_id = trace_id
        stream = TokenStream(sequence, self._window, self._engine.post)
        self._streams[sequence.id] = stream
        self._engine.post(Submit(sequence, self._window))
        return stream

    def _hand_out(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            stream = self._streams.get(delivery.stream_id)
            if stream is not None:
                stream.put(delivery)


class OpenStream:
    """``async with`` scope of a stream: whatever ends the scope, the slot and the place in the queue are given back."""

    def __init__(self, client: DecodeClient, make: MakeSequence, observer: RequestObserver | None) -> None:
        self._client = client
        self._make = make
        self._observer = observer
        self._stream: TokenStream | None = None

    async def __aenter__(self) -> TokenStream:
        """Submits the request.

        Raises:
            Overloaded: The queue is full.
            DeadlineUnreachable: It is too long for the request's deadline.
        """
        trace_id = "" if self._observer is None else self._observer.sampled_trace_id
        (self._stream,) = self._client.begin([self._make], trace_id)
        return self._stream

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Cancels what still runs."""
        if self._stream is not None:
            self._client.end(self._stream)
            if self._observer is not None:
                self._observer.went(self._stream.milestones)
