"""Figures of runs, with matplotlib (the ``plot`` extra)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ostinato_bench.overloading import Point
from ostinato_bench.statistics import Distribution, Result

BLUE, ORANGE, GREY, GREEN = "#1f6feb", "#d9480f", "#6e7781", "#1a7f37"
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e8eb",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2,
    "lines.markersize": 5,
    "legend.frameon": False,
    "svg.fonttype": "none",
}


def draw_latency(results: Sequence[Result], unit: str, path: Path) -> None:
    """Draws latency and throughput against load: p50 and p99 of the first token and between tokens, output a second.

    Raises:
        click.ClickException: The file's ending is no format that matplotlib writes.
        OSError: The file cannot be written.
    """
    ordered = sorted(results, key=_load)
    loads = [_load(each) for each in ordered]
    streams = any(each.inter_token_latency_seconds.count for each in ordered)
    measures: list[tuple[str, Callable[[Result], Distribution]]] = [
        ("Time to first token", lambda each: each.time_to_first_token_seconds)
        if streams
        else ("Whole request", lambda each: each.end_to_end_seconds)
    ]
    if streams:
        measures.append(("Between tokens", lambda each: each.inter_token_latency_seconds))
    with rc_context(STYLE):
        figure = Figure(figsize=(4.2 * (len(measures) + 1), 3.8), layout="constrained")
        panels = figure.subplots(1, len(measures) + 1)
        for axes, (title, measure) in zip(panels, measures, strict=False):
            axes.set_title(title)
            _band(axes, loads, [measure(each) for each in ordered])
            axes.set_ylabel("milliseconds")
        panels[0].legend(loc="upper left")
        output = panels[-1]
        output.set_title("Throughput")
        output.plot(loads, [each.tokens_per_second for each in ordered], color=GREEN, marker="o")
        output.set_ylabel(f"{unit} a second")
        output.set_ylim(bottom=0)
        output.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        for axes in panels:
            _load_axis(axes, loads, closed=ordered[0].loop == "closed")
        figure.get_layout_engine().set(wspace=0.06)  # type: ignore[call-arg, union-attr]
        figure.suptitle(_title(ordered), x=0.01, ha="left", color=GREY, fontsize=9)
        _save(figure, path)


def draw_overload(points: Sequence[Point], deadline: float, path: Path) -> None:
    """Draws goodput, and how fast refusals are answered, against offered load.

    Raises:
        click.ClickException: The file's ending is no format that matplotlib writes.
        OSError: The file cannot be written.
    """
    factors = [point.factor for point in points]
    peak = max(point.goodput for point in points)
    with rc_context(STYLE):
        figure = Figure(figsize=(9.6, 3.8), layout="constrained")
        good, refused = figure.subplots(1, 2)
        good.set_title(f"Goodput: finished within {deadline:g} s")
        good.plot(factors, [point.offered for point in points], color=GREY, linestyle=":", label="offered")
        good.plot(factors, [point.goodput for point in points], color=GREEN, marker="o", label="goodput")
        good.axhline(0.9 * peak, color=GREEN, linewidth=1, linestyle="--", label="90 % of its peak")
        good.set_ylim(0, 1.35 * max(peak, 1e-9))
        good.set_ylabel("requests a second")
        good.legend(loc="lower right")
        refused.set_title("Refusals")
        answered = [point for point in points if point.result.refusal_seconds.count]
        _band(refused, [each.factor for each in answered], [each.result.refusal_seconds for each in answered])
        refused.axhline(50, color=GREY, linewidth=1, linestyle="--", label="aim: 50 ms")
        refused.set_ylabel("milliseconds until refused")
        refused.set_ylim(top=max(100.0, 1.6 * refused.get_ylim()[1]))
        refused.legend(loc="center left")
        for axes in (good, refused):
            axes.set_xscale("log")
            axes.set_xlim(min(factors) * 0.85, max(factors) * 1.18)
            axes.set_xticks(factors, labels=[f"{factor:g}x" for factor in factors])
            axes.tick_params(axis="x", which="minor", bottom=False)
            axes.set_xlabel("offered load, as a multiple of capacity")
        figure.suptitle(_title([point.result for point in points]), x=0.01, ha="left", color=GREY, fontsize=9)
        _save(figure, path)


def _load(result: Result) -> float:
    return result.rate if result.rate is not None else float(result.concurrency or 0)


def _title(results: Sequence[Result]) -> str:
    loops = {"closed": "closed loop", "open": "open loop, Poisson arrivals"}
    return f"ostinato bench {results[0].task}, {loops[results[0].loop]}"


def _band(axes: Axes, loads: Sequence[float], measured: Sequence[Distribution]) -> None:
    """Draws p50 and p99 on a logarithmic axis, and the room between them."""
    if not loads:
        return
    median, late = ([_milliseconds(value) for value in column] for column in _columns(measured))
    axes.fill_between(loads, median, late, color=BLUE, alpha=0.08, linewidth=0)
    axes.plot(loads, median, color=BLUE, marker="o", label="p50")
    axes.plot(loads, late, color=ORANGE, marker="o", label="p99")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _columns(measured: Sequence[Distribution]) -> tuple[list[float | None], list[float | None]]:
    return [each.p50 for each in measured], [each.p99 for each in measured]


def _milliseconds(seconds: float | None) -> float:
    return float("nan") if seconds is None else seconds * 1000


def _load_axis(axes: Axes, loads: Sequence[float], *, closed: bool) -> None:
    if len(loads) > 1 and max(loads) >= 8 * min(loads):
        axes.set_xscale("log")
    axes.set_xticks(loads, labels=[f"{load:g}" for load in loads])
    axes.tick_params(axis="x", which="minor", bottom=False)
    axes.set_xlabel("requests in flight" if closed else "requests begun a second")


def _save(figure: Figure, path: Path) -> None:
    try:
        figure.savefig(path, dpi=150)
    except ValueError as error:
        raise click.ClickException(f"{path}: {error}") from error
