"""How much memory streams take that the server holds and does not advance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

KIBIBYTE = 1024


@dataclass(frozen=True, slots=True)
class Level:
    """The server with so many streams.

    Attributes:
        asked: Streams that were asked for.
        running: Those with a slot.
        waiting: Those that wait for one.
        parked: Those that wait for their reader.
        resident_bytes: The server's memory.
    """

    asked: int
    running: int
    waiting: int
    parked: int
    resident_bytes: float

    @property
    def held(self) -> int:
        """Streams that the server holds."""
        return self.running + self.waiting + self.parked


def kibibytes_a_stream(levels: Sequence[Level]) -> float | None:
    """The slope of memory over streams held, by least squares; None where fewer than two levels differ."""
    held = [level.held for level in levels]
    if len(set(held)) < 2:
        return None
    slope, _ = np.polyfit(held, [level.resident_bytes for level in levels], 1)
    return float(slope) / KIBIBYTE
