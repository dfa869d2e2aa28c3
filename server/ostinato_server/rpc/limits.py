"""How many calls one caller may have under way, and requests in them that run side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ostinato_server.errors import TooManyCalls


class CallerLimit:
    """Counts the calls of every caller, and refuses those over the bound.

    Args:
        most: Calls that one caller may have under way.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way: Counter[str] = Counter()

    def enter(self, caller: str) -> None:
        """Takes a call in.

        Raises:
            TooManyCalls: The caller has as many under way as it may.
        """
        if self._under_way[caller] >= self._most:
            raise TooManyCalls(self._most)
        self._under_way[caller] += 1

    def leave(self, caller: str) -> None:
        """Lets a call out; a caller without calls is forgotten."""
        self._under_way[caller] -= 1
        if not self._under_way[caller]:
            del self._under_way[caller]


class CallShare:
    """What one call with requests side by side takes of its caller's limit: as much as a call for each of them would.

    Args:
        limit: What the call itself has entered already; that is the place of the first request that runs.
        caller: Whose call it is.
    """

    def __init__(self, limit: CallerLimit, caller: str) -> None:
        self._limit = limit
        self._caller = caller
        self._running = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """The scope of a request.

        Raises:
            TooManyCalls: It is not the only one, and the caller has as much under way as it may.
        """
        if self._running:
            self._limit.enter(self._caller)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if self._running:
                self._limit.leave(self._caller)
