"""A call as spans: one for the server's part, and below it where the time went, made when the call has ended."""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, format_span_id, format_trace_id
from opentelemetry.trace import set_span_in_context as below
from opentelemetry.util.types import AttributeValue

from ostinato_server.rpc.call import Call, CallTrace, Metadata, Passage

FAILURES = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""Codes that make a server's span an error; the others are the client's doing (semantic conventions for gRPC)."""

OPERATIONS = {"generation": "text_completion"}
"""What ``gen_ai.operation.name`` calls a task, where the conventions have a name for it."""


class Spans:
    """Makes the spans of calls.

    Args:
        tracer: Where they go.
        propagator: Finds the client's context in a call's metadata.
    """

    def __init__(self, tracer: Tracer, propagator: TextMapPropagator) -> None:
        self._tracer = tracer
        self._propagator = propagator

    def begin(self, method: str, metadata: Metadata) -> CallTrace:
        """Begins a call's span, below its client's if there is one.

        Args:
            method: The method's full name, with its leading slash.
            metadata: What the client sent along.
        """
        started = time.time_ns()
        name = method.removeprefix("/")
        span = self._tracer.start_span(
            name,
            self._propagator.extract({key: value for key, value in metadata if key in self._propagator.fields}),
            SpanKind.SERVER,
            {
                "rpc.system.name": "grpc",
                "rpc.method": name,
                "rpc.system": "grpc",  # this one and rpc.service are what the conventions had before
                "rpc.service": name.partition("/")[0],
            },
            start_time=started,
        )
        return _Traced(self._tracer, span, started)


class _Traced:
    """A call under way.

    Args:
        tracer: Where its spans go.
        span: The call's own.
        started: When it began, in nanoseconds since 1970.
    """

    __slots__ = ("_span", "_started", "_tracer", "sampled", "span_id", "trace_id")

    def __init__(self, tracer: Tracer, span: Span, started: int) -> None:
        self._tracer = tracer
        self._span = span
        self._started = started
        context = span.get_span_context()
        self.trace_id = format_trace_id(context.trace_id)
        self.span_id = format_span_id(context.span_id)
        self.sampled = context.trace_flags.sampled

    def end(self, call: Call, seconds: float) -> None:
        """Says where the time of the call went, and how it ended."""
        if not self._span.is_recording():
            return

        def nanoseconds(moment: float) -> int:
            """A time on the engines' clock since 1970, within the call."""
            return self._started + round(min(max(moment - call.started, 0.0), seconds) * 1e9)

        context = below(self._span)
        for number, passage in enumerate(call.passages):
            attributes = {"ostinato.passage": number} if len(call.passages) > 1 else None
            for name, begun, ended in phases(passage):
                child = self._tracer.start_span(name, context, attributes=attributes, start_time=nanoseconds(begun))
                child.end(nanoseconds(ended))
        self._span.set_attributes(attributes_of(call))
        if call.code in FAILURES:
            self._span.set_attribute("error.type", call.code.name)
            self._span.set_status(Status(StatusCode.ERROR, call.reason))
        self._span.end(self._started + round(seconds * 1e9))


def phases(passage: Passage) -> Iterator[tuple[str, float, float]]:
    """Where the time of a request went: name, beginning and end of each phase that it came to.

    A phase that the request did not come out of ends with it. A classifier has no first token, and so no decoding.
    """
    (arrived, admitted, first_token, done), left = passage
    yield "queue", arrived, admitted or left
    if admitted:
        yield "prefill", admitted, first_token or done or left
    if first_token:
        yield "decode", first_token, done or left
    if done:
        yield "delivery", done, left


def attributes_of(call: Call) -> dict[str, AttributeValue]:
    """What is known of a call that has ended; never its text, nor who made it."""
    known: dict[str, AttributeValue | None] = {
        "rpc.response.status_code": call.code.name,
        "rpc.grpc.status_code": call.code.value[0],
        "client.address": call.peer.partition(":")[2] or call.peer,
        "gen_ai.provider.name": "ostinato" if call.task else None,
        "gen_ai.operation.name": OPERATIONS.get(call.task, call.task) if call.task else None,
        "gen_ai.request.model": call.model,
        "gen_ai.response.model": call.model,
        "gen_ai.usage.input_tokens": call.input_tokens or None,
        "gen_ai.usage.output_tokens": call.output_tokens or None,
        "ostinato.request_id": call.request_id,
        "ostinato.model.version": call.version,
        "ostinato.texts": call.texts or None,
        "ostinato.reason": call.reason,
    }
    return {name: value for name, value in known.items() if value is not None}
