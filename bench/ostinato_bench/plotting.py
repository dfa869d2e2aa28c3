"""Finds what draws, which needs matplotlib (the ``plot`` extra)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal

import click


def plotter(figure: Literal["latency", "overload"]) -> Callable[..., None]:
    """What draws a kind of figure.

    Raises:
        click.ClickException: matplotlib is not installed.
    """
    try:
        figures: Any = import_module("ostinato_bench.figures")
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"--plot: {error.name} is not installed; install it with: pip install 'ostinato[plot]'"
        ) from error
    draw: Callable[..., None] = getattr(figures, f"draw_{figure}")
    return draw
