"""How many requests hold a model, so that it can be put away once the last of them has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Uses:
    """Counts holders; used on the event loop only."""

    def __init__(self) -> None:
        self.count = 0
        self._none_left = asyncio.Event()
        self._none_left.set()

    @contextmanager
    def held(self) -> Iterator[None]:
        """A scope in which the model stays."""
        self.count += 1
        self._none_left.clear()
        try:
            yield
        finally:
            self.count -= 1
            if not self.count:
                self._none_left.set()

    def abandon(self) -> None:
        """Nobody waits for the holders any more."""
        self._none_left.set()

    async def ended(self) -> None:
        """Waits until nobody holds it."""
        await self._none_left.wait()
