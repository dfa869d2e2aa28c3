"""The sync client's channel, with what goes with every call; says the same of a closed one everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import grpc
from google.protobuf.message import Message

from ostinato_client.calls import ConversationCall, ResponseT, StreamCall, UnaryCall, check_health
from ostinato_client.channels import Metadata
from ostinato_client.errors import Cancelled

SHORTEST_CALL_SECONDS = 0.001

CLIENT_CLOSED = "the client is closed; make another one"


class Transport:
    """Makes calls over one channel.

    Args:
        channel: The channel; closed with this.
        metadata: Gives what is sent with a call at the moment that it is made.
    """

    def __init__(self, channel: grpc.Channel, metadata: Callable[[], Metadata]) -> None:
        self._channel = channel
        self._metadata = metadata
        self._closed = Event()

    def close(self) -> None:
        """Closes the channel; calls that run end."""
        self._closed.set()
        self._channel.close()

    def unary(
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
            response: ResponseT = method(
                call.request, timeout=seconds, metadata=self._metadata(), wait_for_ready=wait_for_ready
            )
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

    def conversation(self, call: ConversationCall, requests: Iterator[Any], seconds: float | None) -> Any:
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

    def check_open(self) -> None:
        """Does nothing while the client is open.

        Raises:
            Cancelled: It is closed.
        """
        if self._closed.is_set():
            raise Cancelled(CLIENT_CLOSED)

    def sleep(self, seconds: float) -> None:
        """Waits.

        Raises:
            Cancelled: The client was closed meanwhile.
        """
        self._closed.wait(seconds)
        self.check_open()

    def connect(self, seconds: float) -> bool:
        """Waits until something answers at the target, whatever it answers; returns whether that was in time.

        Asks for the server's health, since gRPC waits for a connection only as a part of a call.

        Raises:
            Cancelled: The client is closed.
        """
        call = check_health("")
        try:
            self.unary(call, max(seconds, SHORTEST_CALL_SECONDS), wait_for_ready=True)
        except grpc.RpcError as error:
            return not isinstance(error, grpc.Call) or error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
        return True

    @contextmanager
    def _open(self) -> Iterator[None]:
        """A scope in which failures of a closed channel are raised as Cancelled."""
        self.check_open()
        try:
            yield
        except (ValueError, grpc.RpcError):
            self.check_open()
            raise
