"""What a status that ended a call says to somebody who measures: refused or failed, why, and when to come back."""

from __future__ import annotations

from dataclasses import dataclass

import grpc

from ostinato_client.statuses import reason_in, retry_after_seconds, rich_status


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


def ending(error: grpc.RpcError | ConnectionError) -> Ending:
    """Reads the status of a call that failed, or what a server that speaks no gRPC failed with."""
    if isinstance(error, ConnectionError):
        return Ending(False, str(error), None)
    if not isinstance(error, grpc.aio.AioRpcError):
        return Ending(False, grpc.StatusCode.UNKNOWN.name, None)
    details = rich_status([(str(key), value) for key, value in error.trailing_metadata() or ()])
    reason, retry = reason_in(details), retry_after_seconds(details)
    code = error.code()
    return Ending(
        rejected=code is grpc.StatusCode.RESOURCE_EXHAUSTED or retry is not None,
        reason=f"{code.name} ({reason})" if reason else code.name,
        retry_seconds=retry,
    )
