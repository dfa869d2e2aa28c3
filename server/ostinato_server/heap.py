"""What the C library keeps of the memory that is given back to it.

An engine frees in every run what it takes again in the next. By default glibc hands free memory at the end of a heap
back to the system at once, so where an engine's memory happens to lie across such an end, each of its runs maps and
unmaps it: 150,000 page faults a second were seen, and 64 streams had 32,000 characters a second instead of 47,000.
Here memory is kept, and goes back when a model has left. Heaps are few, since what is free in one is of no use to a
thread that has another: models that came and went for ten minutes left 40 MiB more where threads had their own.

Source: mallopt(3), malloc_trim(3); the glibc manual, "Malloc Tunable Parameters".
"""

from __future__ import annotations

import ctypes
import os
import platform
from typing import NamedTuple


class _Parameter(NamedTuple):
    """One of ``mallopt``'s.

    Attributes:
        number: Its number in ``malloc.h``.
        value: Bytes, or how many.
        variable: The environment variable by which whoever starts the process sets it instead.
    """

    number: int
    value: int
    variable: str


LEAST_HEAPS = 2
"""With one, the engine and the event loop wait for each other: 45,000 characters a second instead of 48,000."""


def _parameters(threads: int) -> tuple[_Parameter, ...]:
    return (
        # As much as a heap of a thread may hold, so that none of them is ever unmapped for standing empty.
        _Parameter(-2, 64 << 20, "MALLOC_TOP_PAD_"),
        # Further free memory at the end of the main heap is kept up to this.
        _Parameter(-1, 1 << 30, "MALLOC_TRIM_THRESHOLD_"),
        # What is larger has a mapping of its own, which ends when it is freed; this is the most that glibc allows.
        _Parameter(-3, 32 << 20, "MALLOC_MMAP_THRESHOLD_"),
        _Parameter(-8, max(LEAST_HEAPS, threads), "MALLOC_ARENA_MAX"),
    )


def keep(threads: int) -> bool:
    """Has the C library keep what it is given back, but for what the environment says of it; gives whether it does.

    Any other than glibc is left as it is.

    Args:
        threads: Threads that compute at the same time.
    """
    library = _glibc()
    if library is None:
        return False
    chosen = [each for each in _parameters(threads) if each.variable not in os.environ]
    return all(library.mallopt(each.number, each.value) for each in chosen)


def give_back() -> bool:
    """Hands all free memory back to the system; gives whether there was any. Threads that allocate may wait for it."""
    library = _glibc()
    return library is not None and bool(library.malloc_trim(0))


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
