"""The calls of one stream: the first, and those that follow when it breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import grpc

from ostinato_client.retries import Retries

CallT = TypeVar("CallT")


class Progress(Protocol):
    """How far a stream has come."""

    @property
    def position(self) -> int:
        """Grows with what the stream brings; 0 before the first message."""

    @property
    def resumable(self) -> bool:
        """Whether another call can continue after what has come."""


class Resumption(Generic[CallT]):
    """Opens the call of a stream, and opens it again as its retries allow.

    A stream that has brought nothing is begun again; one that has is resumed, where that is possible.

    Args:
        progress: How far the stream has come.
        open_call: Makes the call that comes next, given the seconds that are left for it.
        retries: Decides whether and when.
        resume: Whether a stream that has brought something may be resumed.

    Attributes:
        count: How often a stream that had brought something was resumed.
    """

    def __init__(
        self,
        progress: Progress,
        open_call: Callable[[float | None], CallT],
        retries: Retries,
        *,
        resume: bool = True,
    ) -> None:
        self._progress = progress
        self._open_call = open_call
        self._retries = retries
        self._resume = resume
        self._position = 0
        self.count = 0

    @property
    def begun(self) -> bool:
        """Whether the stream has brought something."""
        return self._progress.position > 0

    def open(self) -> CallT:
        """The call that comes next."""
        return self._open_call(self._retries.left())

    def pause(self, error: grpc.RpcError) -> float | None:
        """Seconds to wait before the next call; None when the stream has failed for good."""
        position = self._progress.position
        if position and not (self._resume and self._progress.resumable):
            return None
        progressed = position > self._position
        if progressed:
            self._position = position
            self._retries.progressed()
        pause = self._retries.pause(error, begun=self.begun)
        self.count += progressed and pause is not None
        return pause

    def patience(self) -> float:
        """Seconds that may be waited for a server to connect to."""
        return self._retries.patience()

    def cause(self, error: grpc.RpcError) -> grpc.RpcError:
        """The error to raise."""
        return error if self._progress.position > self._position else self._retries.cause(error)
