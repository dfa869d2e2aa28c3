"""A bar for what takes a known time, on standard error and only where a person watches."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ostinato_bench.fleet import Fleet, Running
from ostinato_bench.generator import Load
from ostinato_bench.recording import Recording
from ostinato_client.cli.terminal import color_system, moves_cursor

REFRESH_SECONDS = 0.2


def watched(fleet: Fleet, load: Load, label: str) -> Recording:
    """Runs a load to its end behind a bar.

    Raises:
        click.ClickException: The server does not answer the warm-up.
    """
    running = fleet.begin(load)
    watch(running, label, load.duration)
    return running.result()


def watch(running: Running, label: str, seconds: float) -> None:
    """Shows a bar that fills in so many seconds, until the run has ended; then it is gone."""
    if not moves_cursor(sys.stderr):
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, color_system=color_system()), transient=True) as bar:
        task = bar.add_task(label, total=seconds)
        start = time.monotonic()
        while not running.ready(REFRESH_SECONDS):
            bar.update(task, completed=min(time.monotonic() - start, seconds))
