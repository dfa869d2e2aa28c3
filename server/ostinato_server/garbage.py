"""What Python's collector of cycles looks at: what requests leave behind, not what the server is made of.

A full collection goes through every object there is, and no thread runs meanwhile: up to 60 ms were seen, several
times a minute under load. What a server has once it is up stays, so the collector is told not to look at it again. The
longest then took 20 ms, and the slowest hundredth of refusals at five times the capacity 19 ms instead of 41 or more.

Source: https://docs.python.org/3/library/gc.html#gc.freeze
"""

from __future__ import annotations

import gc


def settle() -> None:
    """Collects, and has all that is left passed over from now on."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def settle_again() -> None:
    """Does so where it has been done before: something that was to stay has gone, or something new will stay."""
    if gc.get_freeze_count():
        settle()
