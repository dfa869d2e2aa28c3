"""A call while it is under way: whose it is, what it is about, how it ended."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

import grpc

from ostinato_server.engine.request import Milestones
from ostinato_server.rpc.access import Caller

Metadata: TypeAlias = Sequence[tuple[str, str | bytes]]

REQUEST_ID_KEY = "x-request-id"
CLIENT_ID_KEY = "ostinato-client-id"
MAX_REQUEST_ID_CHARACTERS = 128

MAX_PASSAGES = 64
"""Ways through the engine of one call that are kept for its trace: a session has no end."""


MAX_MODELS = 16
"""Versions of models that one call asks whose names are kept."""


class CallTrace(Protocol):
    """A call as a part of somebody's trace."""

    @property
    def trace_id(self) -> str:
        """The trace, 32 hexadecimal digits."""

    @property
    def span_id(self) -> str:
        """The call in it, 16 hexadecimal digits."""

    @property
    def sampled(self) -> bool:
        """Whether it is kept."""

    def end(self, call: Call, seconds: float) -> None:
        """The call has ended after so long."""


class Passage(NamedTuple):
    """A request's way through the engine and out again.

    Attributes:
        milestones: How far it came in the engine.
        left: When it was answered, or given up.
    """

    milestones: Milestones
    left: float


@dataclass(slots=True)
class Call:
    """What becomes known of a call; told to the metrics and to the log when it has ended.

    Whom it is from is read once, as it comes. What runs beside a call may look a moment after the call's end, and
    asking gRPC's own context then ends the process: grpcio 1.85 sets its core call to NULL in ``_schedule_rpc_coro``.

    Attributes:
        method: Full name of the method.
        request_id: Names the call in the log and to the client.
        peer: The host that it comes from.
        client_id: Whom its client says that it is from; empty where it says nothing.
        started: When it came, on ``time.monotonic``, as the engines count.
        deadline: When its newest request must be done, on the same clock; infinite before there is one.
        code: How it ended; cancelled unless something else is said.
        reason: Name of the error that ended it, ``MODEL_NOT_FOUND`` for instance.
        caller: Who makes it.
        counted: Whether it counts among the calls that its caller has under way.
        told: Whether it has ended: the metrics and the log have it.
        trace: The trace that it is a part of; none where no traces are made.
        model: The model that answers; none where several do.
        version: The model's version; none where several do.
        task: The model's task; none where several models or versions answer.
        models: Name and version of all that answer, the first of them at least.
        requests: Requests of a stream that runs them side by side.
        failed: Those of them that were answered with an error.
        texts: Texts that were read.
        input_tokens: Tokens in them.
        output_tokens: Tokens sent.
        queue_seconds: From arrival to a slot.
        first_token_seconds: From arrival to the first token.
        passages: Its ways through the engine, the first of them at least: a batch has one, a session one for each turn.
        wording: The texts themselves, where the log is to hold them.
    """

    method: str
    request_id: str
    peer: str
    client_id: str = ""
    started: float = field(default_factory=time.monotonic)
    deadline: float = math.inf
    code: grpc.StatusCode = grpc.StatusCode.CANCELLED
    reason: str | None = None
    caller: Caller | None = None
    counted: bool = False
    told: bool = False
    trace: CallTrace | None = None
    model: str | None = None
    version: int | None = None
    task: str | None = None
    models: set[tuple[str, int]] = field(default_factory=set)
    requests: int = 0
    failed: int = 0
    texts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    queue_seconds: float | None = None
    first_token_seconds: float | None = None
    passages: list[Passage] = field(default_factory=list)
    wording: list[str] = field(default_factory=list)

    def asked(self, model: str, version: int, task: str) -> None:
        """A request goes to a version of a model."""
        if len(self.models) < MAX_MODELS:
            self.models.add((model, version))
        only = len(self.models) == 1
        self.model, self.version, self.task = (model, version, task) if only else (None, None, None)

    def read(self, tokens: int) -> None:
        """A text of so many tokens was accepted."""
        self.texts += 1
        self.input_tokens += tokens

    def sent(self, tokens: int) -> None:
        """Tokens go to the client."""
        if self.first_token_seconds is None:
            self.first_token_seconds = time.monotonic() - self.started
        self.output_tokens += tokens

    @property
    def sampled_trace_id(self) -> str:
        """The trace that the call is kept in; empty for none."""
        return self.trace.trace_id if self.trace is not None and self.trace.sampled else ""

    def went(self, milestones: Milestones) -> None:
        """A request has left the engine; the engine's own times are the better ones."""
        if milestones.admitted:
            self.queue_seconds = milestones.admitted - milestones.arrived
        if milestones.first_token:
            self.first_token_seconds = milestones.first_token - milestones.arrived
        if len(self.passages) < MAX_PASSAGES:
            self.passages.append(Passage(milestones, time.monotonic()))


current_call: ContextVar[Call] = ContextVar("current_call")
"""The call that a task serves. Set by the guard, so that what lies between it and the services need not hand it on."""

request_deadline: ContextVar[float] = ContextVar("request_deadline", default=math.inf)
"""When the request that a task serves must be done, where it says so itself; a call may carry several requests."""


def client_id(metadata: Metadata) -> str:
    """Whom the client says that its call is from; empty where it says nothing."""
    return next((value for key, value in metadata if key == CLIENT_ID_KEY and isinstance(value, str) and value), "")


def request_id(metadata: Metadata) -> str:
    """The name that the client gave its call, if that will do in a log and in a header; else a new one."""
    for key, value in metadata:
        if key == REQUEST_ID_KEY and isinstance(value, str):
            if 0 < len(value) <= MAX_REQUEST_ID_CHARACTERS and value.isascii() and value.isprintable():
                return value
            break
    return secrets.token_hex(8)
