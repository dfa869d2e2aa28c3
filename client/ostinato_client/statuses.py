"""From a gRPC status to an exception: pure functions, one table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from ostinato_client.errors import (
    Cancelled,
    ConnectionFailed,
    DeadlineExceeded,
    FieldViolation,
    InvalidRequest,
    ModelNotFound,
    OstinatoError,
    Overloaded,
    PermissionDenied,
    Refused,
    ServerError,
    Unauthenticated,
    Unavailable,
)

DETAILS_KEY = "grpc-status-details-bin"
"""Trailing metadata in which a server sends its ``google.rpc.Status``."""

REQUEST_ID_KEY = "x-request-id"
"""Trailing metadata in which a server names the call, however it ended."""

TOO_LARGE = "message larger than max"
"""What gRPC's own text has of a message over the size limit of the server or of this client."""

Metadata = Iterable[tuple[str, str | bytes]]
DetailT = TypeVar("DetailT", bound=Message)


def error_from_status(code: grpc.StatusCode, message: str, trailers: Metadata = ()) -> OstinatoError:
    """The exception that stands for a failed call.

    Args:
        code: The call's status code.
        message: The call's status message.
        trailers: The call's trailing metadata; a ``google.rpc.Status`` in it adds facts (BadRequest, RetryInfo,
            ErrorInfo). Malformed details are left out rather than hide the status.
    """
    details = rich_status(trailers)
    reason = reason_in(details)
    message = message or code.name.replace("_", " ").lower()
    match code:
        case grpc.StatusCode.INVALID_ARGUMENT | grpc.StatusCode.OUT_OF_RANGE:
            return InvalidRequest(message, violations=_violations(details), reason=reason)
        case grpc.StatusCode.NOT_FOUND:
            return ModelNotFound(message, reason=reason)
        case grpc.StatusCode.UNAUTHENTICATED:
            return Unauthenticated(message, reason=reason)
        case grpc.StatusCode.PERMISSION_DENIED:
            return PermissionDenied(message, reason=reason)
        case grpc.StatusCode.FAILED_PRECONDITION:
            return Refused(message, reason=reason)
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            delay = retry_after_seconds(details)
            if delay is None:  # a limit that waiting does not change
                too_large = TOO_LARGE in message
                return InvalidRequest(message, reason=reason) if too_large else Refused(message, reason=reason)
            return Overloaded(message, retry_after_seconds=delay, reason=reason)
        case grpc.StatusCode.UNAVAILABLE:
            # A server that refuses says why in the details; the transport, which has none, found nobody to ask.
            return ConnectionFailed(message) if details is None else Unavailable(message, reason=reason)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded(message, reason=reason)
        case grpc.StatusCode.CANCELLED:
            return Cancelled(message, reason=reason)
        case _:
            return ServerError(message, code=code.name, reason=reason)


def error_from_call(error: grpc.RpcError) -> OstinatoError:
    """The exception that stands for what grpc raised, from either of its two APIs."""
    if not isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        return ServerError(str(error) or "the call failed without a status")
    return error_from_status(error.code(), error.details() or "", trailing_metadata(error))


def trailing_metadata(error: grpc.Call | grpc.aio.AioRpcError) -> list[tuple[str, str | bytes]]:
    """The trailing metadata of a failed call; empty where none came."""
    return [(str(key), value) for key, value in error.trailing_metadata() or ()]


def is_from_server(trailers: Metadata) -> bool:
    """Whether an Ostinato server ended the call: it always sends trailing metadata, a reset stream has none."""
    return any(key in (DETAILS_KEY, REQUEST_ID_KEY) for key, _ in trailers)


def rich_status(trailers: Metadata) -> status_pb2.Status | None:
    """The ``google.rpc.Status`` in a call's trailing metadata; none where there is none, or it is spoilt."""
    for key, value in trailers:
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return None
    return None


def _detail(status: status_pb2.Status | None, kind: type[DetailT]) -> DetailT | None:
    """The first detail of a kind; google.rpc allows one of each."""
    for packed in status.details if status is not None else ():
        detail = kind()
        try:
            if packed.Unpack(detail):
                return detail
        except DecodeError:
            continue
    return None


def _violations(status: status_pb2.Status | None) -> tuple[FieldViolation, ...]:
    bad_request = _detail(status, error_details_pb2.BadRequest)
    if bad_request is None:
        return ()
    return tuple(FieldViolation(each.field, each.description) for each in bad_request.field_violations)


def reason_in(status: status_pb2.Status | None) -> str:
    """The server's own word for what went wrong; empty where it has none."""
    info = _detail(status, error_details_pb2.ErrorInfo)
    return info.reason if info is not None else ""


def retry_after_seconds(status: status_pb2.Status | None) -> float | None:
    """When the server says to come back; none where it does not say."""
    retry = _detail(status, error_details_pb2.RetryInfo)
    if retry is None:
        return None
    seconds: float = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return seconds
