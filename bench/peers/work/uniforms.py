"""Random numbers keyed by (seed, position): Ostinato's, so that the same seed gives the same text here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_TO_UNIT = np.float32(2.0**-24)


def keyed_uniforms(seeds: NDArray[np.uint64], positions: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Draws one number in [0, 1) for each pair of seed and position.

    The mixing function is that of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), applied to the seed and then to
    the sum of that and the position's Weyl increment; the upper 24 bits fill a float's mantissa.

    Args:
        seeds: Shape (n,).
        positions: Shape (n,), the position of the token to be drawn.

    Returns:
        Shape (n,).
    """
    mixed = _mix(_mix(seeds + _GOLDEN) + (positions + np.uint64(1)) * _GOLDEN)
    return (mixed >> np.uint64(40)).astype(np.float32) * _TO_UNIT


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = (value ^ (value >> np.uint64(30))) * _FIRST
    value = (value ^ (value >> np.uint64(27))) * _SECOND
    return value ^ (value >> np.uint64(31))
