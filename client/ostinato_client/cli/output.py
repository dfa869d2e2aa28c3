"""Writing results to standard output: JSON lines for programs, text for people."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

PIPED_WIDTH = 400
"""Nothing wraps in a file: as wide as any table gets."""


def write_json(record: Mapping[str, Any]) -> None:
    """Writes an object as one line of strict JSON, at once.

    Numbers that JSON cannot hold (an infinite log-probability) become null.
    """
    plain = (sys.stdout.encoding or "ascii").lower().replace("-", "") != "utf8"
    click.echo(json.dumps(_strict(record), ensure_ascii=plain, allow_nan=False))


def write_text(text: str) -> None:
    """Writes text as it comes, at once and without a line end."""
    click.echo(text, nl=False)
    sys.stdout.flush()


def note(text: str) -> None:
    """Writes a dimmed line beside the result, for a person at a terminal only."""
    if sys.stderr.isatty():
        click.echo(click.style(text, dim=True), err=True)


def console() -> Console:
    """A console on standard output; as wide as needed where that is no terminal."""
    terminal = sys.stdout.isatty()
    return Console(file=sys.stdout, highlight=False, markup=False, width=None if terminal else PIPED_WIDTH)


def write_table(table: Table) -> None:
    """Writes a table; without padding at the line ends where that is no terminal."""
    screen = console()
    if screen.is_terminal:
        screen.print(table)
        return
    with screen.capture() as captured:
        screen.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def single(value: float) -> float:
    """The shortest decimal that reads back as the same single-precision number: 0.3, not 0.30000001192092896."""
    return float(str(np.float32(value)))


def _strict(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {key: _strict(each) for key, each in value.items()}
        case list() | tuple():
            return [_strict(each) for each in value]
        case _:
            return value
