"""What a status that ended a call says to somebody who measures: refused or failed, why, and when to come back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from ostinato_client.statuses import DETAILS_KEY


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended that did not end well.

    Attributes:
        rejected: Whether the server refused it for want of room: RESOURCE_EXHAUSTED, or any status that comes with a
            RetryInfo. Anything else is a failure.
        reason: The code, and the server's own word for it where it has one.
        retry_seconds: What the RetryInfo says; None without one.
    """

    rejected: bool
    reason: str
    retry_seconds: float | None


def ending(error: grpc.RpcError) -> Ending:
    """Reads the status of a call that failed."""
    if not isinstance(error, grpc.aio.AioRpcError):
        return Ending(False, grpc.StatusCode.UNKNOWN.name, None)
    reason, retry = _details([(str(key), value) for key, value in error.trailing_metadata() or ()])
    code = error.code()
    return Ending(
        rejected=code is grpc.StatusCode.RESOURCE_EXHAUSTED or retry is not None,
        reason=f"{code.name} ({reason})" if reason else code.name,
        retry_seconds=retry,
    )


def _details(trailers: Iterable[tuple[str, str | bytes]]) -> tuple[str, float | None]:
    """The ErrorInfo's reason and the RetryInfo's seconds in a call's trailing metadata."""
    reason, retry = "", None
    for key, value in trailers:
        if key != DETAILS_KEY or not isinstance(value, bytes):
            continue
        try:
            for packed in status_pb2.Status.FromString(value).details:
                info, hint = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
                if packed.Unpack(info):
                    reason = info.reason
                elif packed.Unpack(hint):
                    retry = hint.retry_delay.seconds + hint.retry_delay.nanos / 1e9
        except DecodeError:
            continue  # a status with spoilt details is still a status
    return reason, retry
