"""The batch sizes that a step is recorded at: a few, since each takes device memory, and time when a model loads."""

from __future__ import annotations

_BY_ONE_STEP = 16
"""From here on sizes are this far apart."""


def ladder(capacity: int) -> tuple[int, ...]:
    """1, 2, 4, 8 and then every multiple of 16, up to the capacity, which is the last rung."""
    rungs = (1, 2, 4, 8, *range(_BY_ONE_STEP, capacity, _BY_ONE_STEP))
    return (*(size for size in rungs if size < capacity), capacity)


def rung(count: int, capacity: int) -> int:
    """The smallest rung that holds so many rows.

    Raises:
        ValueError: There are more rows than the capacity, or none.
    """
    if not 0 < count <= capacity:
        raise ValueError(f"a step of {count} rows, of 1 to {capacity}")
    small = 1 << (count - 1).bit_length()
    wide = -(-count // _BY_ONE_STEP) * _BY_ONE_STEP
    return min(small if small < _BY_ONE_STEP else wide, capacity)
