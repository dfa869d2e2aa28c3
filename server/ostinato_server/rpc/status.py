"""Domain errors as gRPC statuses with ``google.rpc`` details: one table."""

from __future__ import annotations

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from ostinato_server.errors import (
    BundleNotFound,
    ControlDisabled,
    DeadlineExpired,
    DeadlineUnreachable,
    Draining,
    EngineFault,
    EngineUnavailable,
    InvalidArgument,
    ModelNotFound,
    ModelRefused,
    ModelTooLarge,
    NoRepository,
    Overloaded,
    PermissionDenied,
    ServerError,
    SessionExpired,
    TooManyCalls,
    TooManySessions,
    Unauthenticated,
    WrongTask,
)

DOMAIN = "ostinato"
DETAILS_KEY = "grpc-status-details-bin"
"""Trailing metadata that carries the status message, by gRPC's convention."""

_UNAVAILABLE_RETRY_SECONDS = 1.0

_LIMIT_RETRY_SECONDS = 1.0
"""When a call or a session ends is for clients to know; this only keeps them from asking in a tight loop."""

_CODES: dict[type[ServerError], grpc.StatusCode] = {
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    TooManyCalls: grpc.StatusCode.RESOURCE_EXHAUSTED,
    TooManySessions: grpc.StatusCode.RESOURCE_EXHAUSTED,
    SessionExpired: grpc.StatusCode.DEADLINE_EXCEEDED,
    InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    ModelNotFound: grpc.StatusCode.NOT_FOUND,
    BundleNotFound: grpc.StatusCode.NOT_FOUND,
    ModelTooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ModelRefused: grpc.StatusCode.FAILED_PRECONDITION,
    NoRepository: grpc.StatusCode.FAILED_PRECONDITION,
    ControlDisabled: grpc.StatusCode.PERMISSION_DENIED,
    WrongTask: grpc.StatusCode.INVALID_ARGUMENT,
    Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    DeadlineUnreachable: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Draining: grpc.StatusCode.UNAVAILABLE,
    DeadlineExpired: grpc.StatusCode.DEADLINE_EXCEEDED,
    EngineFault: grpc.StatusCode.INTERNAL,
    EngineUnavailable: grpc.StatusCode.UNAVAILABLE,
}


def code_of(error: ServerError) -> grpc.StatusCode:
    """The status code of a domain error."""
    return _CODES.get(type(error), grpc.StatusCode.INTERNAL)


def status_of(error: ServerError) -> status_pb2.Status:
    """The whole status of a domain error: code, message, and details that a program can read."""
    info = error_details_pb2.ErrorInfo(reason=reason_of(error), domain=DOMAIN)
    details: list[Message] = [info]
    match error:
        case InvalidArgument(field=field, description=description):
            details.append(_bad_request(field, description))
        case WrongTask():
            details.append(_bad_request("model", str(error)))
        case Overloaded(retry_after_seconds=seconds) | DeadlineUnreachable(retry_after_seconds=seconds):
            details.append(_retry(seconds))
        case TooManyCalls() | TooManySessions():
            details.append(_retry(_LIMIT_RETRY_SECONDS))
        case Draining() | EngineUnavailable():
            details.append(_retry(_UNAVAILABLE_RETRY_SECONDS))
    status = status_pb2.Status(code=code_of(error).value[0], message=str(error))
    for detail in details:
        status.details.add().Pack(detail)
    return status


def reason_of(error: ServerError) -> str:
    """The error's name in the form that ErrorInfo asks for: ``MODEL_NOT_FOUND``."""
    name = type(error).__name__
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in name).lstrip("_").upper()


def _bad_request(field: str, description: str) -> Message:
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
    details: Message = error_details_pb2.BadRequest(field_violations=[violation])
    return details


def _retry(seconds: float) -> Message:
    delay = Duration()
    delay.FromNanoseconds(int(seconds * 1e9))
    details: Message = error_details_pb2.RetryInfo(retry_delay=delay)
    return details
