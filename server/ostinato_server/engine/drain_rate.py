"""How fast slots become free while requests wait."""

from __future__ import annotations

import math

HORIZON_SECONDS = 2.0
"""Older departures count e times less, so that the rate follows the load and a batch that ends at once is smoothed."""

FEWEST = 8.0
"""Slots freed, weighted so, below which nothing is said."""


class DrainRate:
    """The mean time between slots that become free, over the time in which there was a backlog."""

    def __init__(self) -> None:
        self._freed = 0.0
        self._seconds = 0.0
        self._since = 0.0

    @property
    def seconds_per_slot(self) -> float:
        """Seconds from one free slot to the next; 0 as long as too few were seen."""
        return self._seconds / self._freed if self._freed >= FEWEST else 0.0

    def backlogged(self, now: float) -> None:
        """A backlog begins."""
        self._since = now

    def served(self, now: float, slots: int) -> None:
        """A request was served and has left so many slots, while others waited."""
        elapsed = now - self._since
        kept = math.exp(-elapsed / HORIZON_SECONDS)
        self._freed = self._freed * kept + slots
        self._seconds = self._seconds * kept + elapsed
        self._since = now
