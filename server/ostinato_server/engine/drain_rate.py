"""How fast requests leave while others wait."""

from __future__ import annotations

import math

HORIZON_SECONDS = 2.0
"""Older departures count e times less, so that the rate follows the load and a batch that ends at once is smoothed."""

FEWEST = 8.0
"""Departures, weighted so, below which nothing is said."""


class DrainRate:
    """The mean time between departures, over the time in which there was a backlog."""

    def __init__(self) -> None:
        self._departures = 0.0
        self._seconds = 0.0
        self._since = 0.0

    @property
    def seconds_per_request(self) -> float:
        """Seconds from one departure to the next; 0 as long as too few were seen."""
        return self._seconds / self._departures if self._departures >= FEWEST else 0.0

    def backlogged(self, now: float) -> None:
        """A backlog begins."""
        self._since = now

    def served(self, now: float) -> None:
        """A request was served and has left, while others waited."""
        elapsed = now - self._since
        kept = math.exp(-elapsed / HORIZON_SECONDS)
        self._departures = self._departures * kept + 1
        self._seconds = self._seconds * kept + elapsed
        self._since = now
