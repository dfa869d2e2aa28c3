"""What surrounds every call: refuse while draining, turn errors into statuses, measure, count what is under way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from ostinato_server.errors import Draining, InvalidArgument, ServerError
from ostinato_server.metrics import ServerMetrics
from ostinato_server.rpc.status import DETAILS_KEY, code_of, status_of

logger = logging.getLogger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


GUARDED = ("/ostinato.", "/inference.")
"""Beginnings of the methods that are guarded."""

PROBES = frozenset(f"/inference.GRPCInferenceService/{name}" for name in ("ServerLive", "ServerReady"))
"""Methods that answer while the server shuts down, as health does."""


class _Malformed:
    """Stands for a message that could not be read, until a handler can refuse it with a proper status."""


class Guard(grpc.aio.ServerInterceptor):
    """Wraps the calls of Ostinato's own services; health and reflection pass through.

    Args:
        metrics: Told how long each call took and how it ended.
    """

    def __init__(self, metrics: ServerMetrics) -> None:
        self._metrics = metrics
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
        if handler is None or method in PROBES or not method.startswith(GUARDED):
            return handler
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
        checked = _refuse_malformed_stream(inner) if handler.request_streaming else _refuse_malformed(inner)
        wrapped = self._streaming(method, checked) if handler.response_streaming else self._unary(method, checked)
        result: Handler = make(
            wrapped,
            request_deserializer=_tolerant(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )
        return result

    def _unary(self, method: str, inner: Any) -> Callable[[Any, Context], Awaitable[Any]]:
        async def call(request: Any, context: Context) -> Any:
            watch = self._enter(method)
            try:
                self._refuse_while_draining()
                response = await inner(request, context)
            except Exception as error:
                await watch.abort(error, context)
            else:
                watch.code = grpc.StatusCode.OK
                return response
            finally:
                self._leave(watch)

        return call

    def _streaming(self, method: str, inner: Any) -> Callable[[Any, Context], AsyncIterator[Any]]:
        async def call(request: Any, context: Context) -> AsyncIterator[Any]:
            watch = self._enter(method)
            try:
                self._refuse_while_draining()
                async for response in inner(request, context):
                    yield response
                watch.code = grpc.StatusCode.OK
            except Exception as error:
                await watch.abort(error, context)
            finally:
                self._leave(watch)

        return call

    def _refuse_while_draining(self) -> None:
        if self._draining:
            raise Draining

    def _enter(self, method: str) -> _Watch:
        self._under_way += 1
        self._idle.clear()
        return _Watch(method)

    def _leave(self, watch: _Watch) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()
        self._metrics.call_ended(watch.method, watch.code.name, time.perf_counter() - watch.started)


def _tolerant(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    """Reads a message, or says that it cannot be read instead of raising where gRPC would answer UNKNOWN."""

    def read(data: bytes) -> Any:
        try:
            return deserialize(data) if deserialize is not None else data
        except DecodeError:
            return _Malformed()

    return read


def _well_formed(request: Any) -> Any:
    if isinstance(request, _Malformed):
        raise InvalidArgument("request", "must be a well-formed message whose strings are UTF-8")
    return request


def _refuse_malformed(inner: Any) -> Callable[[Any, Context], Any]:
    return lambda request, context: inner(_well_formed(request), context)


def _refuse_malformed_stream(inner: Any) -> Callable[[Any, Context], Any]:
    async def checked(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            yield _well_formed(request)

    return lambda requests, context: inner(checked(requests), context)


class _Watch:
    """One call: when it started and how it ended; cancelled unless something else is said."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.started = time.perf_counter()
        self.code = grpc.StatusCode.CANCELLED

    async def abort(self, error: Exception, context: Context) -> NoReturn:
        """Ends the call with the status of an error."""
        if isinstance(error, ServerError):
            self.code = code_of(error)
            status = status_of(error)
            metadata = ((DETAILS_KEY, status.SerializeToString()),)
            await context.abort(self.code, str(error), metadata)
        if isinstance(error, grpc.aio.AbortError):
            raise error
        self.code = grpc.StatusCode.INTERNAL
        logger.error("%s: unexpected error", self.method, exc_info=error)
        await context.abort(self.code, "internal error; the server has logged why")
