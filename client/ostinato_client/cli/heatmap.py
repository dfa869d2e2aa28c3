"""An attention matrix as a heat map for a terminal.

Source tokens are columns, target tokens rows. With colour a cell's background tells its weight; without, a shade
character and the per cent do, so that the map can be read in a file too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.style import Style
from rich.text import Text

from ostinato_client.cli.labels import readable
from ostinato_client.results import FloatArray

SHADES = " ·░▒▓█"
ASCII_SHADES = " .:-=#"
"""Where the encoding has no others."""
PALETTE = ((22, 22, 34), (70, 22, 92), (160, 40, 100), (232, 96, 64), (252, 232, 150))
"""Dark for 0 to bright for 1."""

ROW_LABEL_WIDTH = 16
LYING_LABEL_WIDTH = 10
STANDING_LABEL_HEIGHT = 12


@dataclass(frozen=True, slots=True)
class Layout:
    """How wide a cell is, and whether the column labels lie in one line or stand, a character a line."""

    cell_width: int
    standing: bool


def choose_layout(columns: int, longest_label: int, width: int) -> Layout:
    """The roomiest layout that fits.

    Args:
        columns: How many source tokens there are.
        longest_label: Width of the widest of them.
        width: Space for all cells.
    """
    lying = max(5, min(longest_label, LYING_LABEL_WIDTH) + 1)
    if columns * lying <= width:
        return Layout(lying, standing=False)
    return Layout(4 if columns * 4 <= width else 2, standing=True)


def heat_map(
    attention: FloatArray,
    source: Sequence[str],
    target: Sequence[str],
    *,
    width: int,
    colour: bool,
    shades: str = SHADES,
) -> list[Text]:
    """The lines of the map.

    Args:
        attention: Weights, shape (target, source).
        source: Labels of the columns.
        target: Labels of the rows.
        width: Characters in a line.
        colour: Whether backgrounds may be used.
        shades: Characters from blank to full, used without colour.
    """
    source, target = [readable(token) for token in source], [readable(token) for token in target]
    margin = min(ROW_LABEL_WIDTH, max((cell_len(token) for token in target), default=0))
    longest = max((cell_len(token) for token in source), default=0)
    layout = choose_layout(len(source), longest, width - margin - 2)
    lines = [Text(" " * (margin + 2) + line) for line in _column_labels(source, layout)]
    for token, row in zip(target, attention.tolist(), strict=True):
        label = shorten(token, margin)
        line = Text(" " * (margin - cell_len(label)) + label + "  ")
        for weight in row:
            line.append_text(_cell(weight, layout.cell_width, colour, shades))
        lines.append(line)
    if not colour:
        for line in lines:
            line.rstrip()
    return lines


def shorten(label: str, width: int) -> str:
    """The label, cut to a width with an ellipsis."""
    return label if cell_len(label) <= width else set_cell_size(label, width - 1).rstrip() + "…"


def shade(weight: float, shades: str = SHADES) -> str:
    """The character for a weight, from blank to a full block."""
    return shades[math.ceil(_clamp(weight) * (len(shades) - 1))]


def background(weight: float) -> tuple[int, int, int]:
    """The colour for a weight, between its neighbours in the palette."""
    position = _clamp(weight) * (len(PALETTE) - 1)
    below = min(int(position), len(PALETTE) - 2)
    share = position - below
    red, green, blue = (
        round(low + (high - low) * share) for low, high in zip(PALETTE[below], PALETTE[below + 1], strict=True)
    )
    return red, green, blue


def _column_labels(source: Sequence[str], layout: Layout) -> list[str]:
    if not layout.standing:
        return ["".join(_centre(shorten(token, layout.cell_width - 1), layout.cell_width) for token in source)]
    labels = [shorten(token, STANDING_LABEL_HEIGHT) for token in source]
    height = max((len(label) for label in labels), default=0)
    return [
        "".join(_centre(label.rjust(height)[line], layout.cell_width) for label in labels) for line in range(height)
    ]


def _cell(weight: float, width: int, colour: bool, shades: str) -> Text:
    percent = round(_clamp(weight) * 100)
    if not colour:
        if width == 2:
            return Text(shade(weight, shades) * 2)
        return Text(_centre(f"{shade(weight, shades)}{percent:>2}" if percent else shades[1], width))
    colours = background(weight)
    bright = sum(colours) > 380
    style = Style(
        color=Color.from_rgb(20, 20, 20) if bright else Color.from_rgb(225, 225, 225), bgcolor=Color.from_rgb(*colours)
    )
    return Text(_centre(str(percent) if percent and width > 2 else "", width), style=style)


def _centre(label: str, width: int) -> str:
    room = max(0, width - cell_len(label))
    return " " * (room // 2) + label + " " * (room - room // 2)


def _clamp(weight: float) -> float:
    return min(max(weight, 0.0), 1.0)
