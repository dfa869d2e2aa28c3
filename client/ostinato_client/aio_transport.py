"""The async client's channel: the twin of :mod:`ostinato_client.transport`, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import grpc
from google.protobuf.message import Message

from ostinato_client.calls import ConversationCall, ResponseT, StreamCall, UnaryCall, check_health
from ostinato_client.channels import Metadata
from ostinato_client.errors import Cancelled
from ostinato_client.transport import CLIENT_CLOSED, SHORTEST_CALL_SECONDS


class AsyncTransport:
    """Makes calls over one channel.

    Args:
        channel: The channel; closed with this.
        metadata: Gives what is sent with a call at the moment that it is made.
    """

    def __init__(self, channel: grpc.aio.Channel, metadata: Callable[[], Metadata]) -> None:
        self._channel = channel
        self._metadata = metadata
        self._closed = asyncio.Event()

    async def close(self) -> None:
        """Closes the channel; calls that run end."""
        self._closed.set()
        await self._channel.close()

    async def unary(
        self, call: UnaryCall[ResponseT, Any], seconds: float | None, *, wait_for_ready: bool = False
    ) -> ResponseT:
        """Makes a call and returns its response.

        Raises:
            grpc.RpcError: It failed.
            Cancelled: The client is closed.
        """
        with self._open():
            method = self._channel.unary_unary(
                call.path,
                request_serializer=type(call.request).SerializeToString,
                response_deserializer=call.response.FromString,
            )
            made = method(call.request, timeout=seconds, metadata=self._metadata(), wait_for_ready=wait_for_ready)
            try:
                response: ResponseT = await made
            except asyncio.CancelledError:
                raise await self._ended(made) from None
            return response

    def stream(self, call: StreamCall[Any, Any, Any], seconds: float | None) -> Any:
        """Makes a call whose answer is a stream.

        Raises:
            Cancelled: The client is closed.
        """
        return self.watch(call.path, call.request, call.response, seconds)

    def watch(
        self,
        path: str,
        request: Message,
        response: type[Message],
        seconds: float | None,
        *,
        wait_for_ready: bool = False,
    ) -> Any:
        """Makes a call whose answer is a stream of messages of one type.

        Raises:
            Cancelled: The client is closed.
        """
        with self._open():
            method = self._channel.unary_stream(
                path,
                request_serializer=type(request).SerializeToString,
                response_deserializer=response.FromString,
            )
            return method(request, timeout=seconds, metadata=self._metadata(), wait_for_ready=wait_for_ready)

    def conversation(self, call: ConversationCall, requests: AsyncIterator[Any], seconds: float | None) -> Any:
        """Makes a call with streams both ways.

        Raises:
            Cancelled: The client is closed.
        """
        with self._open():
            method = self._channel.stream_stream(
                call.path,
                request_serializer=call.request.SerializeToString,
                response_deserializer=call.response.FromString,
            )
            return method(requests, timeout=seconds, metadata=self._metadata())

    async def read(self, call: Any) -> Any:
        """The next message of a call, or ``grpc.aio.EOF``.

        Raises:
            grpc.RpcError: The call failed.
            Cancelled: The client is closed.
        """
        try:
            return await call.read()
        except asyncio.CancelledError:
            raise await self._ended(call) from None

    async def _ended(self, call: Any) -> BaseException:
        """What to raise in place of the CancelledError of a call.

        grpc.aio raises it of every call that ended CANCELLED, also where the server or a proxy cancelled it.
        """
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            return asyncio.CancelledError()
        if self._closed.is_set():
            return Cancelled(CLIENT_CLOSED)
        trailers = await call.trailing_metadata() or grpc.aio.Metadata()
        return grpc.aio.AioRpcError(
            grpc.StatusCode.CANCELLED, grpc.aio.Metadata(), trailers, details=await call.details()
        )

    def check_open(self) -> None:
        """Does nothing while the client is open.

        Raises:
            Cancelled: It is closed.
        """
        if self._closed.is_set():
            raise Cancelled(CLIENT_CLOSED)

    async def sleep(self, seconds: float) -> None:
        """Waits.

        Raises:
            Cancelled: The client was closed meanwhile.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), seconds)
        self.check_open()

    async def connect(self, seconds: float) -> bool:
        """Waits until something answers at the target, whatever it answers; returns whether that was in time.

        Asks for the server's health, since gRPC waits for a connection only as a part of a call.

        Raises:
            Cancelled: The client is closed.
        """
        call = check_health("")
        try:
            await self.unary(call, max(seconds, SHORTEST_CALL_SECONDS), wait_for_ready=True)
        except grpc.RpcError as error:
            return not isinstance(error, grpc.aio.AioRpcError) or error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
        return True

    @contextmanager
    def _open(self) -> Iterator[None]:
        """A scope in which failures of a closed channel are raised as Cancelled."""
        self.check_open()
        try:
            yield
        except (grpc.aio.UsageError, grpc.RpcError):
            self.check_open()
            raise
