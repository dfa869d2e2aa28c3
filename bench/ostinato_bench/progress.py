"""A bar for what takes a known time, on standard error and only where a person watches."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

REFRESH_SECONDS = 0.2


@asynccontextmanager
async def progress(label: str, seconds: float) -> AsyncIterator[None]:
    """Shows a bar that fills in so many seconds while the body runs."""
    if not sys.stderr.isatty():
        yield
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=seconds)
        start = time.monotonic()

        async def tick() -> None:
            while True:
                bar.update(task, completed=min(time.monotonic() - start, seconds))
                await asyncio.sleep(REFRESH_SECONDS)

        ticking = asyncio.create_task(tick())
        try:
            yield
        finally:
            ticking.cancel()
