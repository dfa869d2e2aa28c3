"""The streams of one request with several sequences: read in order, a bounded number of them running at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from ostinato_server.engine.observer import RequestObserver
from ostinato_server.engine.request import Milestones
from ostinato_server.engine.stream import DecodeClient, MakeSequence, TokenStream


class StreamSeries:
    """``async with`` scope of a request whose sequences are delivered one after another.

    The request is admitted once, with the slots that it holds at a time. A stream that was read to its end hands its
    place to the next one that waits, so that a long request holds no more slots than a short one, and is never refused
    in its middle. Streams that run ahead of the reader wait as every stream does whose reader lags.

    ::

        async with StreamSeries(client, makes, 4) as series:
            for stream in series:
                while tokens := await stream.read():
                    ...

    Args:
        client: Opens the streams.
        makes: Makes each sequence; all have the same width, class and deadline.
        at_once: The most streams that are open at a time, at least 1.
        observer: Told at the end of the scope how far the request came.
    """

    def __init__(
        self,
        client: DecodeClient,
        makes: Sequence[MakeSequence],
        at_once: int,
        observer: RequestObserver | None = None,
    ) -> None:
        self._client = client
        self._first = makes[:at_once]
        self._waiting = deque(makes[at_once:])
        self._observer = observer
        self._trace_id = "" if observer is None else observer.sampled_trace_id
        self._open: deque[TokenStream] = deque()
        self._begun: TokenStream | None = None
        self._read: TokenStream | None = None

    async def __aenter__(self) -> Self:
        """Submits the first sequences.

        Raises:
            Overloaded: The queue is full.
            DeadlineUnreachable: It is too long for the request's deadline.
        """
        if self._first:
            self._open.extend(self._client.begin(self._first, self._trace_id))
            self._begun = self._open[0]
        return self

    def __iter__(self) -> Iterator[TokenStream]:
        """The streams, in order; each must be read to its end before the next one is asked for.

        Raises:
            Exception: The engine stopped, or cannot work, before the next sequence was submitted.
        """
        while self._open:
            yield self._open[0]
            stream = self._read = self._open.popleft()
            if self._waiting:
                self._open.append(self._client.replace(stream, self._waiting.popleft(), self._trace_id))
            else:
                self._client.end(stream)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Cancels what still runs."""
        for stream in self._open:
            self._client.end(stream)
        if self._observer is not None and self._begun is not None:
            self._observer.went(self._milestones)

    @property
    def _milestones(self) -> Milestones:
        """How far the request has come: when its first stream began, and when its last one was done."""
        assert self._begun is not None  # noqa: S101 (it was submitted)
        begun = self._begun.milestones
        last = self._open[0] if self._open else self._read
        if last is None or self._waiting or len(self._open) > 1:
            return begun._replace(done=0.0)
        return begun._replace(done=last.milestones.done)
