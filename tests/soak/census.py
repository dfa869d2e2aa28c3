"""``ostinato serve`` that counts its tasks when asked: ``python -m tests.soak.census FILE FLAGS…``, and SIGUSR1."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import signal
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

from ostinato_client.cli.main import main

POOL = ("uvloop_", "asyncio_")
"""Threads of the event loop's pool, which has as many as were ever busy at once, up to a bound."""


def _trim() -> None:
    """Gives free memory back to the system, where the C library can: what is resident then is in use."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def census() -> dict[str, object]:
    """Tasks that have not ended, threads that the server started, and the objects that the collector knows, by type."""
    settled = gc.get_freeze_count() > 0
    gc.unfreeze()  # the server has what stays passed over, and something may have stayed that should not have
    gc.collect()
    _trim()
    objects = gc.get_objects()
    if settled:
        gc.freeze()
    return {
        "tasks": sorted(
            repr(each.get_coro()) for each in objects if isinstance(each, asyncio.Task) and not each.done()
        ),
        "threads": sorted(thread.name for thread in threading.enumerate() if not thread.name.startswith(POOL)),
        "objects": dict(Counter(type(each).__qualname__ for each in objects).most_common(200)),
    }


def watched(path: Path, arguments: list[str]) -> None:
    """Runs the command, and writes a census whenever the signal comes."""

    def write(*_: object) -> None:
        aside = path.with_suffix(".new")
        aside.write_text(json.dumps(census()))
        aside.rename(path)

    signal.signal(signal.SIGUSR1, write)
    sys.argv = ["ostinato", *arguments]
    main()


if __name__ == "__main__":
    watched(Path(sys.argv[1]), sys.argv[2:])
