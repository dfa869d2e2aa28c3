"""A session of the async client: the twin of :mod:`ostinato_client.session`, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol, Self

import grpc

from ostinato.v1.generation_pb2 import GenerateSessionRequest, GenerateSessionResponse
from ostinato_client import requests
from ostinato_client.aio_streams import AsyncResponses, AsyncResumedStream, AsyncTextStream
from ostinato_client.aio_transport import AsyncTransport
from ostinato_client.errors import Cancelled
from ostinato_client.generation import ConversationRecord
from ostinato_client.results import Chunk, GenerationSummary
from ostinato_client.resumption import Resumption
from ostinato_client.retries import Retries
from ostinato_client.session import CLOSING_SECONDS, check_ready


class AsyncSessionCall(AsyncResponses[GenerateSessionResponse], Protocol):
    """What grpc.aio gives for a call with streams both ways."""

    async def code(self) -> grpc.StatusCode:
        """How the call ended; waits for that."""

    def done(self) -> bool:
        """Whether the call has ended."""


class AsyncTurn(AsyncResumedStream[Chunk, GenerationSummary], AsyncTextStream):
    """What a turn of a session generates, chunk by chunk.

    ::

        async for chunk in session.send("ROMEO:", max_chars=200):
            print(chunk.text, end="", flush=True)

    A turn that breaks because the server is gone is resumed where it broke, in a session that goes on after the turns
    before it: the same text comes as if it had never broken.

    Leaving an ``async with`` block, or ``cancel()``, before the turn's end ends the session.
    """

    @property
    def resumptions(self) -> int:
        """How often the turn was resumed."""
        return self._resumption.count

    @property
    def ended(self) -> bool:
        """Whether it was read to its end."""
        return self._ended

    @property
    def failure(self) -> Exception | None:
        """What the turn failed with; None while it runs and where it ended well."""
        return Cancelled("the turn before was cancelled, which ended the session") if self._cancelled else self._error


class AsyncSession:
    r"""Turns on one text, each going on from the model's state after the one before: nothing is sent or read twice.

    ::

        async with client.session() as session:
            opening = await session.send("ROMEO:", max_chars=200, seed=1).text()
            answer = await session.send("\nJULIET:", max_chars=200, seed=2).text()

    A turn generates what ``generate`` would with the whole conversation so far as its prompt. The server waits for
    the next turn for a while only (DeadlineExceeded, reason ``SESSION_EXPIRED``). Any error that is raised ends the
    session, and ``send`` raises it again. One turn at a time.

    Args:
        open_call: Makes the call for an iterator of messages, given the seconds that are left for it.
        start: The first of them.
        transport: What the call is made over.
        retries: Decides whether a turn that broke is resumed, and when.
    """

    def __init__(
        self,
        open_call: Callable[[AsyncIterator[GenerateSessionRequest], float | None], AsyncSessionCall],
        start: GenerateSessionRequest,
        transport: AsyncTransport,
        retries: Retries,
    ) -> None:
        self._transport = transport
        self._closed = False
        self._retries = retries
        self._open_call = open_call
        self._record = ConversationRecord(start.start)
        self._turn: AsyncTurn | None = None
        self._open(retries.left())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def send(
        self,
        text: str,
        *,
        max_chars: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        stop: Sequence[str] = (),
    ) -> AsyncTurn:
        """Feeds text and has it continued.

        What is None takes the server's default.

        Args:
            text: Text to read first; may be empty. In the first turn that starts a text as an empty prompt does.
            max_chars: The most tokens to generate (characters, with a character model); 0 only reads the text. When
                None: 10,000, or the model's limit where that is lower.
            temperature: Divides the logits; 0 takes the most probable token.
            top_k: Keeps the k most probable tokens; 0 keeps all.
            top_p: Keeps the most probable tokens that sum to this probability, (0, 1].
            seed: Seed of the turn's random numbers.
            stop: Texts that end the turn; the text that matched is not sent, and yet is part of the conversation.

        Raises:
            InvalidRequest: A value that its field cannot hold.
            OstinatoError: The session has ended: what the turn before failed with, or that the session or its client
                is closed.
            RuntimeError: The turn before has not been read to its end.
        """
        message = requests.session_turn(
            text, max_chars=max_chars, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, stop=stop
        )
        self._transport.check_open()
        check_ready(self._turn, closed=self._closed)
        self._retries.progressed()
        fold = self._record.begin(message.turn)
        first = True

        def open_call(seconds: float | None) -> _TurnResponses:
            nonlocal first
            if not first:
                self._outgoing.put_nowait(None)  # ends the task that feeds the broken call
                self._open(seconds)
            elif not self._call.done():  # else reading the turn raises what ended the call, or resumes it
                self._outgoing.put_nowait(message)
            first = False
            return _TurnResponses(self._call)

        self._turn = AsyncTurn(fold, Resumption(fold, open_call, self._retries), self._transport)
        return self._turn

    def _open(self, seconds: float | None) -> None:
        """Opens a call that continues after all that has come."""
        self._outgoing: asyncio.Queue[GenerateSessionRequest | None] = asyncio.Queue()
        for message in self._record.messages():
            self._outgoing.put_nowait(message)
        self._call = self._open_call(_until_none(self._outgoing), seconds)

    async def close(self) -> None:
        """Ends the session; a turn that runs is cancelled."""
        self._closed = True
        self._outgoing.put_nowait(None)
        if self._turn is not None and not self._turn.ended:
            self._call.cancel()
            return
        ended = asyncio.ensure_future(self._call.code())
        done, _ = await asyncio.wait([ended], timeout=CLOSING_SECONDS)
        if not done:
            ended.cancel()
            self._call.cancel()


class _TurnResponses:
    """The messages of one turn out of a session's."""

    def __init__(self, call: AsyncSessionCall) -> None:
        self._call = call
        self._summarized = False

    async def read(self) -> Any:
        if self._summarized:
            return grpc.aio.EOF
        response = await self._call.read()
        self._summarized = response is not grpc.aio.EOF and response.HasField("summary")
        return response

    def cancel(self) -> bool:
        return self._call.cancel()


async def _until_none(
    messages: asyncio.Queue[GenerateSessionRequest | None],
) -> AsyncIterator[GenerateSessionRequest]:
    while (message := await messages.get()) is not None:
        yield message
