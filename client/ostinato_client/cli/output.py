"""Writing results to standard output: JSON lines for programs, text for people."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from shutil import get_terminal_size
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ostinato_client.cli.terminal import color_system

PIPED_WIDTH = 100_000
"""Nothing wraps in a file: wider than any table."""


def write_json(record: Mapping[str, Any]) -> None:
    """Writes an object as one line of strict JSON, at once.

    Numbers that JSON cannot hold (an infinite log-probability) become null.
    """
    escaped = not (sys.stdout.encoding or "ascii").lower().startswith("utf")
    click.echo(json.dumps(_strict(record), ensure_ascii=escaped, allow_nan=False))


def write_text(text: str) -> None:
    """Writes text as it comes, at once and without a line end."""
    click.echo(text, nl=False)
    sys.stdout.flush()


def note(text: str) -> None:
    """Writes a dimmed line beside the result, for a person at a terminal only."""
    if sys.stderr.isatty():
        click.echo(click.style(text, dim=True), err=True)


def console() -> Console:
    """A console on standard output; as wide as needed where that is not a terminal."""
    columns, lines = get_terminal_size()
    return Console(
        file=sys.stdout,
        highlight=False,
        markup=False,
        color_system=color_system(),
        width=columns if sys.stdout.isatty() else PIPED_WIDTH,
        height=lines,  # given, since rich takes a dumb terminal for one of 80 columns otherwise
    )


def drawable(text: str) -> bool:
    """Whether the encoding of standard output can represent the text."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def write_rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Writes a table whose last column may wrap; on a terminal too narrow for it, the facts of each row instead."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=heading != headings[-1])
    for row in rows:
        table.add_row(*map(Text, row))
    screen = console()
    if Measurement.get(screen, screen.options.update(width=PIPED_WIDTH), table).minimum <= screen.width:
        _write_table(table, screen)
        return
    for number, row in enumerate(rows):
        if number:
            click.echo()
        write_facts(list(zip(headings, row, strict=True)))


def write_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Writes a line for each fact: its label and its value, which continues on the next line where it must."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in facts:
        table.add_row(Text(label), Text(value))
    _write_table(table, console())


def _write_table(table: Table, screen: Console) -> None:
    """Writes a table without padding at the line ends."""
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
