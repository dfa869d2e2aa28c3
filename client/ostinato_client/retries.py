"""Whether a failed call is made again, and when: the policy that both clients share; they do the waiting."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from enum import Enum

import grpc

from ostinato_client.statuses import is_from_server, retry_after_seconds, rich_status, trailing_metadata

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
SHORTEST_DELAY_SECONDS = 0.01
"""The least time before a server that is full is called again, whatever its RetryInfo says."""

PATIENCE_SECONDS = 10.0
"""How long a call without a deadline waits for a server, for each retry that the client allows."""

WATCH_PAUSE_SECONDS = 0.1
"""Between two attempts to watch a server's health."""

JITTER = 0.25
"""The largest share by which a pause is extended at random, so that clients that failed together do not return so."""

LOST_CODES = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)
"""Codes that, unless the server itself sent them, stand for a stream that a proxy or the transport reset."""

_LOCAL_FAILURES = ("Exception serializing", "Exception deserializing", "Exception iterating")
"""How gRPC begins the details of a failure in this process, which another call would meet again."""


class Failure(Enum):
    """What a status says about calling again."""

    BUSY = "busy"
    """The server is full and says when to come back: RESOURCE_EXHAUSTED with RetryInfo."""
    UNAVAILABLE = "unavailable"
    """No server took the call, or it cannot serve now."""
    LOST = "lost"
    """The connection, or a proxy before the server, ended the call; the server may have served it."""
    FINAL = "final"
    """Another call would end in the same way."""


def failure_of(error: grpc.RpcError) -> tuple[Failure, float]:
    """What an error says about calling again, and the seconds that a full server asks to wait."""
    if not isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        return Failure.FINAL, 0.0
    code, trailers = error.code(), trailing_metadata(error)
    delay = retry_after_seconds(rich_status(trailers))
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and delay is not None:
        return Failure.BUSY, delay
    if code is grpc.StatusCode.UNAVAILABLE:
        return Failure.UNAVAILABLE, 0.0
    if code in LOST_CODES and not is_from_server(trailers):
        local = (error.details() or "").startswith(_LOCAL_FAILURES)
        return (Failure.FINAL if local else Failure.LOST), 0.0
    return Failure.FINAL, 0.0


class Retries:
    """Decides about the calls of one request, one after another.

    A full server is waited for until the deadline. So is a server for a stream that has begun. A call that has brought
    nothing is repeated ``attempts`` times. Where there is no deadline, no wait exceeds ``attempts`` x
    ``PATIENCE_SECONDS`` since the request last brought something.

    Args:
        attempts: Calls after the first; 0 makes none.
        timeout: Seconds for the whole request; None for no deadline.
        idempotent: Whether a call that the server may have served may be repeated.
        clock: Seconds, monotonic.
        jitter: Random numbers from 0 to 1.
    """

    def __init__(
        self,
        attempts: int,
        timeout: float | None,
        *,
        idempotent: bool = True,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._attempts = attempts
        self._idempotent = idempotent
        self._clock = clock
        self._jitter = jitter
        self._end = None if timeout is None else clock() + timeout
        self._failure: grpc.RpcError | None = None
        self.progressed()

    def progressed(self) -> None:
        """Notes that a call has brought something: what failed before it no longer counts."""
        self._failed = 0
        self._failure = None
        self._limit = self._clock() + self._attempts * PATIENCE_SECONDS if self._end is None else self._end

    def left(self) -> float | None:
        """Seconds for the next call; None for no deadline."""
        return None if self._end is None else max(0.001, self._end - self._clock())

    def patience(self) -> float:
        """Seconds that may be waited for a server, 0 or more."""
        return max(0.0, self._limit - self._clock())

    def pause(self, error: grpc.RpcError, *, begun: bool = False) -> float | None:
        """Seconds to wait before the next call; None when the request has failed for good.

        Args:
            error: How the last call ended.
            begun: Whether the request is a stream that has brought something and can be resumed.
        """
        failure, delay = failure_of(error)
        if not self._attempts or failure is Failure.FINAL:
            return None
        patience = self.patience()
        if failure is Failure.BUSY:
            wait = max(delay, SHORTEST_DELAY_SECONDS)
            pause = min(wait * (1 + JITTER * self._jitter()), max(wait, patience - SHORTEST_DELAY_SECONDS))
            return pause if wait < patience else None
        if not begun and (self._failed >= self._attempts or (failure is Failure.LOST and not self._idempotent)):
            return None
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0**self._failed) * (1 + JITTER * self._jitter())
        if begun and not self._failed:
            pause = 0.0  # the first to return finds another replica
        if pause >= patience:
            return None
        self._failed += 1
        self._failure = error
        return pause

    def cause(self, error: grpc.RpcError) -> grpc.RpcError:
        """The error to raise: a deadline that passed while no server answered hides what made the request fail."""
        hidden = isinstance(error, grpc.Call | grpc.aio.AioRpcError) and (
            error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and not is_from_server(trailing_metadata(error))
        )
        return self._failure if hidden and self._failure is not None else error
