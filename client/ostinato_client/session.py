"""A session of the sync client: turns on one text, over one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Event
from typing import Protocol, Self

from ostinato.v1.generation_pb2 import GenerateSessionRequest, GenerateSessionResponse
from ostinato_client import requests
from ostinato_client.errors import Cancelled
from ostinato_client.generation import ConversationRecord
from ostinato_client.results import Chunk, GenerationSummary
from ostinato_client.resumption import Resumption
from ostinato_client.retries import Retries
from ostinato_client.streams import Responses, ResumedStream, TextStream
from ostinato_client.transport import Transport

CLOSING_SECONDS = 1.0
"""How long a session that is closed waits for the server's word; then the call is cancelled."""


class SessionCall(Responses[GenerateSessionResponse], Protocol):
    """What gRPC gives for a call with streams both ways."""

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Has something called at the call's end; false when it has ended."""

    def is_active(self) -> bool:
        """Whether the call has not ended."""


class Turn(ResumedStream[Chunk, GenerationSummary], TextStream):
    """What a turn of a session generates, chunk by chunk.

    ::

        for chunk in session.send("ROMEO:", max_chars=200):
            print(chunk.text, end="", flush=True)

    A turn that breaks because the server is gone is resumed where it broke, in a session that goes on after the turns
    before it: the same text comes as if it had never broken.

    Leaving a ``with`` block, or ``cancel()``, before the turn's end ends the session.
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


class Session:
    r"""Turns on one text, each going on from the model's state after the one before: nothing is sent or read twice.

    ::

        with client.session() as session:
            opening = session.send("ROMEO:", max_chars=200, seed=1).text()
            answer = session.send("\nJULIET:", max_chars=200, seed=2).text()

    A turn generates what ``generate`` would with the whole conversation so far as its prompt. The server waits for
    the next turn for a while only (DeadlineExceeded, reason ``SESSION_EXPIRED``). Any error that is raised ends the
    session, and ``send`` raises it again. One turn at a time: a session belongs to one thread.

    Args:
        open_call: Makes the call for an iterator of messages, given the seconds that are left for it.
        start: The first of them.
        transport: What the call is made over.
        retries: Decides whether a turn that broke is resumed, and when.
    """

    def __init__(
        self,
        open_call: Callable[[Iterator[GenerateSessionRequest], float | None], SessionCall],
        start: GenerateSessionRequest,
        transport: Transport,
        retries: Retries,
    ) -> None:
        self._transport = transport
        self._closed = False
        self._retries = retries
        self._open_call = open_call
        self._record = ConversationRecord(start.start)
        self._turn: Turn | None = None
        self._open(retries.left())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

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
    ) -> Turn:
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
                self._outgoing.put(None)  # ends the thread that feeds the broken call
                self._open(seconds)
            elif self._call.is_active():  # else reading the turn raises what ended the call, or resumes it
                self._outgoing.put(message)
            first = False
            return _TurnResponses(self._call)

        self._turn = Turn(fold, Resumption(fold, open_call, self._retries), self._transport)
        return self._turn

    def _open(self, seconds: float | None) -> None:
        """Opens a call that continues after all that has come."""
        self._outgoing: SimpleQueue[GenerateSessionRequest | None] = SimpleQueue()
        for message in self._record.messages():
            self._outgoing.put(message)
        self._call = self._open_call(iter(self._outgoing.get, None), seconds)

    def close(self) -> None:
        """Ends the session; a turn that runs is cancelled."""
        self._closed = True
        self._outgoing.put(None)
        if self._turn is not None and not self._turn.ended:
            self._call.cancel()
            return
        ended = Event()
        if self._call.add_callback(ended.set) and not ended.wait(CLOSING_SECONDS):
            self._call.cancel()


class PreviousTurn(Protocol):
    """What a session knows of the turn before."""

    @property
    def ended(self) -> bool:
        """Whether it was read to its end."""

    @property
    def failure(self) -> Exception | None:
        """What it failed with."""


def check_ready(turn: PreviousTurn | None, *, closed: bool) -> None:
    """Checks that a session can take another turn.

    Raises:
        OstinatoError: What ended the session: the turn before failed, or the session is closed.
        RuntimeError: The turn before has not been read to its end.
    """
    if turn is not None and turn.failure is not None:
        raise turn.failure
    if closed:
        raise Cancelled("the session is closed; open another one")
    if turn is not None and not turn.ended:
        raise RuntimeError("the turn before must be read to its end first")


class _TurnResponses:
    """The messages of one turn out of a session's."""

    def __init__(self, call: SessionCall) -> None:
        self._call = call
        self._summarized = False

    def __iter__(self) -> Iterator[GenerateSessionResponse]:
        return self

    def __next__(self) -> GenerateSessionResponse:
        if self._summarized:
            raise StopIteration
        response = next(self._call)
        self._summarized = response.HasField("summary")
        return response

    def cancel(self) -> bool:
        return self._call.cancel()
