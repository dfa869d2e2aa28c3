"""A call while it is under way: whose it is, what it is about, how it ended."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field

import grpc

from ostinato_server.engine.request import Finished
from ostinato_server.rpc.access import Caller

REQUEST_ID_KEY = "x-request-id"
MAX_REQUEST_ID_CHARACTERS = 128


@dataclass(slots=True)
class Call:
    """What becomes known of a call; told to the metrics and to the log when it has ended.

    Attributes:
        method: Full name of the method.
        request_id: Names the call in the log and to the client.
        peer: The host that it comes from.
        started: When it came, on ``time.perf_counter``.
        code: How it ended; cancelled unless something else is said.
        reason: Name of the error that ended it, ``MODEL_NOT_FOUND`` for instance.
        caller: Who makes it.
        counted: Whether it counts among the calls that its caller has under way.
        told: Whether the metrics and the log have it.
        model: The model that answers.
        version: The model's version.
        task: The model's task.
        texts: Texts that were read.
        input_tokens: Tokens in them.
        output_tokens: Tokens sent.
        queue_seconds: From arrival to a slot.
        first_token_seconds: From arrival to the first token.
        wording: The texts themselves, where the log is to hold them.
    """

    method: str
    request_id: str
    peer: str
    started: float = field(default_factory=time.perf_counter)
    code: grpc.StatusCode = grpc.StatusCode.CANCELLED
    reason: str | None = None
    caller: Caller | None = None
    counted: bool = False
    told: bool = False
    model: str | None = None
    version: int | None = None
    task: str | None = None
    texts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    queue_seconds: float | None = None
    first_token_seconds: float | None = None
    wording: list[str] = field(default_factory=list)

    def read(self, tokens: int) -> None:
        """A text of so many tokens was accepted."""
        self.texts += 1
        self.input_tokens += tokens

    def sent(self, tokens: int) -> None:
        """Tokens go to the client."""
        if self.first_token_seconds is None:
            self.first_token_seconds = time.perf_counter() - self.started
        self.output_tokens += tokens

    def finished(self, finished: Finished) -> None:
        """A stream came to its end; the engine's own times are the better ones."""
        self.queue_seconds = finished.queue_seconds
        self.first_token_seconds = finished.first_token_seconds


current_call: ContextVar[Call] = ContextVar("current_call")
"""The call that a task serves. Set by the guard, so that what lies between it and the services need not hand it on."""


def request_id(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The name that the client gave its call, if that will do in a log and in a header; else a new one."""
    for key, value in metadata:
        if key == REQUEST_ID_KEY and isinstance(value, str):
            if 0 < len(value) <= MAX_REQUEST_ID_CHARACTERS and value.isascii() and value.isprintable():
                return value
            break
    return secrets.token_hex(8)
