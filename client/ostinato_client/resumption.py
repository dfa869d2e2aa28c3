"""When and how often a broken stream is taken up: the policy that both clients share; they do the waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

import grpc

from ostinato.v1 import generation_pb2
from ostinato_client.generation import GenerationFold

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0

CallT = TypeVar("CallT")


class Resumption(Generic[CallT]):
    """Takes up one stream again and again, as long as every call brings something.

    Args:
        fold: What the stream has brought.
        open_call: Makes the call for a request, given the seconds that are left for it; waits for a server.
        attempts: Calls in a row that may bring nothing; 0 never takes a stream up.
        end: When the stream must be done, on `clock`; None for no deadline.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        fold: GenerationFold,
        open_call: Callable[[generation_pb2.GenerateRequest, float | None], CallT],
        attempts: int,
        end: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fold = fold
        self._open_call = open_call
        self._attempts = attempts
        self._end = end
        self._clock = clock
        self._fruitless = 0
        self._position = 0
        self._failure: grpc.RpcError | None = None
        self.count = 0

    def pause(self, error: grpc.RpcError) -> float | None:
        """Seconds to wait before the next call; None when the stream has failed for good."""
        if _code(error) is not grpc.StatusCode.UNAVAILABLE or not self._fold.resumable:
            return None
        if self._fold.position > self._position:
            self._position, self._fruitless = self._fold.position, 0
        if self._fruitless >= self._attempts:
            return None
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0**self._fruitless) if self._fruitless else 0.0
        if self._end is not None and self._clock() + pause >= self._end:
            return None
        self._fruitless += 1
        self._failure = error
        return pause

    def again(self) -> CallT:
        """The call that goes on where the stream broke."""
        self.count += 1
        request = self._fold.resumption()
        return self._open_call(request, None if self._end is None else max(0.001, self._end - self._clock()))

    def cause(self, error: grpc.RpcError) -> grpc.RpcError:
        """The error to tell: a deadline that ran out while no server answered hides what broke the stream."""
        waited = self._fold.position == self._position and _code(error) is grpc.StatusCode.DEADLINE_EXCEEDED
        return self._failure if waited and self._failure is not None else error


def _code(error: grpc.RpcError) -> grpc.StatusCode | None:
    return error.code() if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else None
