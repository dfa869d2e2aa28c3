"""The look that all plots share."""

from __future__ import annotations

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#333333"
MUTED = "#8a8a8a"
BLUE = "#0072b2"
VERMILION = "#d55e00"
"""Okabe & Ito's colours, which stay apart for the colour-blind."""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches; no pyplot, so no window and no state between figures."""
    return Figure(figsize=(width, height), layout="constrained")


def ordered_colours(count: int) -> list[str]:
    """Colours for the values of a quantity, from low to high, dark enough for white paper."""
    shades = colormaps["plasma"]
    return [_hex(shades(0.85 * index / max(1, count - 1))) for index in range(count)]


def tidy(axes: Axes) -> None:
    """Take away what does not carry data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(colors=INK, labelsize=9)
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)


def _hex(colour: tuple[float, float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour[:3])
