"""What a terminal interprets, by the variables that other programs respect too: NO_COLOR, FORCE_COLOR and TERM."""

from __future__ import annotations

import os
from typing import Literal, TextIO

DUMB_TERMINALS = ("dumb", "unknown")
"""Values of TERM for terminals that interpret no escape sequence."""


def colour() -> bool | None:
    """Whether output has colours and other styles; None where each stream decides, by whether it is a terminal."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") in DUMB_TERMINALS:
        return False
    forced = os.environ.get("FORCE_COLOR")
    return None if forced is None else forced != ""


def color_system() -> Literal["auto"] | None:
    """The same, as rich has it."""
    return None if colour() is False else "auto"


def moves_cursor(stream: TextIO) -> bool:
    """Whether the stream is a terminal that can redraw a line, as a progress bar does."""
    return stream.isatty() and os.environ.get("TERM") not in DUMB_TERMINALS
