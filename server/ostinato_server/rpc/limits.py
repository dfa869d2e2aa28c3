"""How many calls one caller may have under way."""

from __future__ import annotations

from collections import Counter

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
