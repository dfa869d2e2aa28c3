"""What surrounds every call: who may make it, errors as statuses, measures, the log, the end of all calls."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from ostinato_server.errors import DeadlineExpired, Draining, InvalidArgument, ServerError
from ostinato_server.logs import FIELDS
from ostinato_server.metrics import ServerMetrics
from ostinato_server.rpc.access import Access, host
from ostinato_server.rpc.call import REQUEST_ID_KEY, Call, CallTrace, Metadata, client_id, current_call, request_id
from ostinato_server.rpc.limits import CallerLimit
from ostinato_server.rpc.request_log import RequestLog, identity
from ostinato_server.rpc.status import DETAILS_KEY, code_of, reason_of, status_of

logger = logging.getLogger(__name__)

SHORTEST_WRITE_SECONDS = 1.0
"""Time in which a response may be written although the deadline is near or has passed: it may say just that."""

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Responses: TypeAlias = AsyncGenerator[Any]
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


HEALTH = "/grpc.health."
"""Whether the server is up is told to everybody: who asks, a balancer or an orchestrator, has no token."""

PROBES = frozenset(f"/inference.GRPCInferenceService/{name}" for name in ("ServerLive", "ServerReady"))
"""The Open Inference Protocol's own words for health."""


class _Malformed:
    """Stands for a message that could not be read, until a handler can refuse it with a proper status."""


class Guard(grpc.aio.ServerInterceptor):
    """Wraps all calls; of those for health, only what cannot be read is refused.

    Args:
        metrics: Told how long each call took and how it ended.
        access: Says who calls and what they may.
        limit: Bounds the calls of one caller.
        log: Told of every call that has ended.
        max_deadline_seconds: The longest that a response may be blocked by its reader.
        trace: Begins a call's part of a trace, given its method and metadata; none where no traces are made.
    """

    def __init__(
        self,
        metrics: ServerMetrics,
        access: Access,
        limit: CallerLimit,
        log: RequestLog,
        max_deadline_seconds: float,
        trace: Callable[[str, Metadata], CallTrace] | None = None,
    ) -> None:
        self._metrics = metrics
        self._access = access
        self._limit = limit
        self._log = log
        self._max_deadline_seconds = max_deadline_seconds
        self._trace = trace
        self._draining = False
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def draining(self) -> bool:
        """Whether new calls are refused."""
        return self._draining

    async def drain(self, grace_seconds: float) -> bool:
        """Refuses new calls and waits for those under way; gives whether all have ended in time."""
        self._draining = True
        try:
            await asyncio.wait_for(self._idle.wait(), grace_seconds)
        except TimeoutError:
            return False
        return True

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Wraps a call's handler."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None:
            return None
        make, inner = next(
            (make, inner)
            for make, inner in (
                (grpc.unary_unary_rpc_method_handler, handler.unary_unary),
                (grpc.unary_stream_rpc_method_handler, handler.unary_stream),
                (grpc.stream_unary_rpc_method_handler, handler.stream_unary),
                (grpc.stream_stream_rpc_method_handler, handler.stream_stream),
            )
            if inner is not None
        )
        wrapped = (
            _open(inner) if method in PROBES or method.startswith(HEALTH) else self._guarded(method, handler, inner)
        )
        result: Handler = make(
            wrapped,
            request_deserializer=_tolerant(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )
        return result

    def _guarded(self, method: str, handler: Handler, inner: Any) -> Any:
        checked = self._read_each(inner) if handler.request_streaming else self._read_one(inner)
        return self._streaming(method, checked) if handler.response_streaming else self._unary(method, checked)

    def _unary(self, method: str, inner: Any) -> Callable[[Any, Context], Awaitable[Any]]:
        async def serve(request: Any, context: Context) -> Any:
            call = self._enter(method, context)
            try:
                self._admit(call, context)
                response = await inner(request, context)
            except Exception as error:
                await self._abort(call, error, context)
            else:
                call.code = grpc.StatusCode.OK
                return response
            finally:
                self._leave(call)

        return serve

    def _streaming(self, method: str, inner: Any) -> Callable[[Any, Context], Awaitable[None]]:
        async def serve(request: Any, context: Context) -> None:
            call = self._enter(method, context)
            try:
                self._admit(call, context)
                # Closed here, not when it is collected: what it learns at its end is in the log's line.
                async with aclosing(inner(request, context)) as responses:
                    async for response in responses:
                        await self._write(call, responses, response, context)
                call.code = grpc.StatusCode.OK
            except Exception as error:
                await self._abort(call, error, context)
            finally:
                self._leave(call)

        return serve

    async def _write(self, call: Call, responses: Responses, response: Any, context: Context) -> None:
        """Sends a response. If its reader blocks it beyond the deadline, the call gives up all that it holds.

        gRPC cannot abort a call whose message is blocked: the message stays, and the status follows it once the
        client reads on.

        Raises:
            DeadlineExpired: The call was given up.
            CancelledError: The client has gone.
        """
        seconds = min(call.deadline - time.monotonic(), self._max_deadline_seconds)
        expired: list[asyncio.Task[None]] = []
        timer = asyncio.get_running_loop().call_later(
            max(seconds, SHORTEST_WRITE_SECONDS),
            lambda: expired.append(asyncio.create_task(self._give_up(call, responses))),
        )
        try:
            await context.write(response)
        except grpc.aio.InternalError as error:  # the client or its connection has gone
            raise asyncio.CancelledError from error
        finally:
            timer.cancel()
            if expired:
                await asyncio.wait(expired)
        if expired:
            raise DeadlineExpired

    async def _give_up(self, call: Call, responses: Responses) -> None:
        """Ends the handler of a call whose response is blocked, and counts the call as ended."""
        error = DeadlineExpired()
        try:
            with suppress(DeadlineExpired, StopAsyncIteration):
                await responses.athrow(error)
        except Exception:
            logger.exception("%s: unexpected error after the deadline (request %s)", call.method, call.request_id)
        finally:
            call.code, call.reason = code_of(error), reason_of(error)
            self._end(call)

    def _enter(self, method: str, context: Context) -> Call:
        metadata = tuple(context.invocation_metadata() or ())
        call = Call(method, request_id(metadata), host(context.peer()), client_id(metadata))
        if self._trace is not None:
            call.trace = self._trace(method, metadata)
        current_call.set(call)
        context.set_trailing_metadata(((REQUEST_ID_KEY, call.request_id),))
        self._under_way += 1
        self._idle.clear()
        return call

    def _admit(self, call: Call, context: Context) -> None:
        """Refuses a call that may not be made, or not now."""
        call.caller = self._access.identify(context)
        if self._draining:
            raise Draining
        self._access.authorize(call.caller, call.method)
        self._limit.enter(call.caller.key)
        call.counted = True

    async def _abort(self, call: Call, error: Exception, context: Context) -> NoReturn:
        """Ends a call with the status of an error."""
        metadata: list[tuple[str, str | bytes]] = [(REQUEST_ID_KEY, call.request_id)]
        if isinstance(error, ServerError):
            call.code, call.reason, message = code_of(error), reason_of(error), str(error)
            metadata.append((DETAILS_KEY, status_of(error).SerializeToString()))
        elif isinstance(error, grpc.aio.AbortError):
            raise error
        else:
            call.code, message = grpc.StatusCode.INTERNAL, "internal error; the server has logged why"
            logger.error(
                "%s: unexpected error (request %s)",
                call.method,
                call.request_id,
                exc_info=error,
                extra={FIELDS: identity(call)},
            )
        # A client that does not read delays its status; the call ends for the server without waiting for that.
        self._leave(call)
        await context.abort(call.code, message, tuple(metadata))

    def _leave(self, call: Call) -> None:
        """Ends a call, before its client knows."""
        if call.counted and call.caller is not None:
            call.counted = False
            self._limit.leave(call.caller.key)
        self._end(call)

    def _end(self, call: Call) -> None:
        """Measures and logs a call as ended, once.

        A call that was given up still counts for its caller: what it left in the transport takes memory until the
        client reads on or goes.
        """
        if call.told:
            return
        call.told = True
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()
        seconds = time.monotonic() - call.started
        self._metrics.call_ended(call.method, call.code.name, seconds, call.sampled_trace_id)
        self._log.ended(call, seconds)
        if call.trace is not None:
            call.trace.end(call, seconds)

    def _read_one(self, inner: Any) -> Callable[[Any, Context], Any]:
        return lambda request, context: inner(self._read(request), context)

    def _read_each(self, inner: Any) -> Callable[[Any, Context], Any]:
        async def checked(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
            async for request in requests:
                yield self._read(request)

        return lambda requests, context: inner(checked(requests), context)

    def _read(self, request: Any) -> Any:
        _refuse_malformed(request)
        self._log.note(request)
        return request


def _open(inner: Any) -> Callable[[Any, Context], Awaitable[Any]]:
    """A handler of one request that is for everybody and is not counted."""

    async def serve(request: Any, context: Context) -> Any:
        try:
            _refuse_malformed(request)
        except InvalidArgument as error:
            details = ((DETAILS_KEY, status_of(error).SerializeToString()),)
            await context.abort(code_of(error), str(error), details)
        return await inner(request, context)

    return serve


def _refuse_malformed(request: Any) -> None:
    """Raises what a message is refused with that could not be read."""
    if isinstance(request, _Malformed):
        raise InvalidArgument("request", "must be a well-formed message whose strings are UTF-8")


def _tolerant(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    """Reads a message, or says that it cannot be read instead of raising where gRPC would answer UNKNOWN."""

    def read(data: bytes) -> Any:
        try:
            return deserialize(data) if deserialize is not None else data
        except DecodeError:
            return _Malformed()

    return read
