"""Consoles for tables and progress bars, by NO_COLOR, TERM and whether the stream is a terminal."""

from __future__ import annotations

import os
from typing import TextIO

from rich.console import Console
from rich.progress import Progress, ProgressColumn

PIPED_WIDTH = 100_000
"""Nothing wraps in a file: wider than any table."""


def console(stream: TextIO) -> Console:
    """A console on a stream; without escape sequences for NO_COLOR, without wrapping where it is not a terminal."""
    return Console(
        file=stream,
        highlight=False,
        markup=False,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        width=None if stream.isatty() else PIPED_WIDTH,
    )


def moves_cursor(stream: TextIO) -> bool:
    """Whether the stream is a terminal that can redraw a line, as a progress bar does."""
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def progress(stream: TextIO, *columns: ProgressColumn) -> Progress:
    """A bar that is gone when the work is done; none where the cursor does not move."""
    return Progress(*columns, console=console(stream), transient=True, disable=not moves_cursor(stream))
