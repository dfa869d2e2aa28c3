"""Streams that wait for their clients: how many sessions are open, how long each waits, the end of all in a drain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ostinato_server.errors import Draining, SessionExpired, TooManySessions

M = TypeVar("M")


class Sessions:
    """The streams that wait for their clients in between; used on the event loop only.

    Args:
        most: How many may be open.
        idle_seconds: How long each waits for its client.
        observe: Told how many are open, whenever that changes.
    """

    def __init__(self, most: int, idle_seconds: float, observe: Callable[[int], None]) -> None:
        self._most = most
        self._idle_seconds = idle_seconds
        self._observe = observe
        self._open = 0
        self._draining = asyncio.Event()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """The scope of a session.

        Raises:
            TooManySessions: As many are open as may be.
        """
        if self._open >= self._most:
            raise TooManySessions(self._most)
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    async def next(self, messages: AsyncIterator[M]) -> M | None:
        """The client's next message; nothing once it has closed its side.

        Raises:
            SessionExpired: None came in time.
            Draining: The server stops; what has come already is not begun any more.
        """
        return await self._next(messages, self._idle_seconds)

    async def until_draining(self, messages: AsyncIterator[M]) -> AsyncGenerator[M]:
        """The messages of a stream that is no session, and may be quiet for as long as it likes.

        Raises:
            Draining: The server stops; what has come already is not begun any more.
        """
        while (message := await self._next(messages, None)) is not None:
            yield message

    async def _next(self, messages: AsyncIterator[M], idle_seconds: float | None) -> M | None:
        arrival = asyncio.ensure_future(anext(messages, None))
        draining = asyncio.ensure_future(self._draining.wait())
        try:
            done, _ = await asyncio.wait((arrival, draining), timeout=idle_seconds, return_when=asyncio.FIRST_COMPLETED)
            if draining in done:
                raise Draining
            if arrival not in done:
                raise SessionExpired(self._idle_seconds)
            return arrival.result()
        finally:
            draining.cancel()
            if not arrival.cancel() and not arrival.cancelled():
                arrival.exception()  # asyncio need not say that nobody looked

    def drain(self) -> None:
        """Ends the streams that wait, and the others after the turn or the requests that they are in."""
        self._draining.set()

    def _count(self, change: int) -> None:
        self._open += change
        self._observe(self._open)
