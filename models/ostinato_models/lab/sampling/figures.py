"""The pictures of sampling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ostinato_models.lab.figures import BLUE, INK, MUTED, VERMILION, new_figure, tidy
from ostinato_models.lab.sampling.measures import Measures
from ostinato_models.lab.sampling.settings import SamplingSettings
from ostinato_models.lab.sampling.sweeps import CONTROLS, Control, Point, Sampled

GREEN = "#009e73"
COLOURS: Mapping[Control, str] = MappingProxyType({"temperature": VERMILION, "top-k": GREEN, "top-p": BLUE})
AXES: Mapping[Control, str] = MappingProxyType(
    {
        "temperature": "temperature (no unit)",
        "top-k": "top-k (characters kept)",
        "top-p": "top-p (probability kept)",
    }
)
ROWS: tuple[tuple[str, Callable[[Measures], float]], ...] = (
    ("perplexity\n(per character)", lambda measures: measures.perplexity),
    ("real words\n(% of words)", lambda measures: 100 * measures.real_words),
    ("distinct word pairs\n(% of pairs)", lambda measures: 100 * measures.distinct[1]),
    ("repeated sequences of\nfour words (% of them)", lambda measures: 100 * measures.repetition),
)
DASHED = (0, (4, 3))


def draw_sweeps(settings: SamplingSettings, sampled: Sampled) -> Figure:
    """Every measure by every control: a column per control, a row per measure, the real text as a line."""
    figure = new_figure(10, 9)
    panels = figure.subplots(len(ROWS), len(CONTROLS), sharex="col", sharey="row")
    for row, (label, read) in zip(panels, ROWS, strict=True):
        for axes, control in zip(row, CONTROLS, strict=True):
            points = sampled.sweep(control, settings)
            axes.plot(
                [point.value for point in points],
                [read(point.measures) for point in points],
                color=COLOURS[control],
                marker="o",
                markersize=4,
                linewidth=1.8,
            )
            axes.axhline(read(sampled.reference), color=INK, linewidth=1.2, linestyle=DASHED, label="real text")
            tidy(axes)
        row[0].set_ylabel(label, fontsize=10, color=INK)
        row[0].set_ylim(bottom=0)
    for axes, control in zip(panels[-1], CONTROLS, strict=True):
        axes.set_xlabel(AXES[control], fontsize=10, color=INK)
    _number_top_k(panels[-1, 1], sampled.sweep("top-k", settings))
    figure.align_ylabels(panels[:, 0])
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", frameon=False)
    return figure


def draw_variety(settings: SamplingSettings, sampled: Sampled) -> Figure:
    """Real words against variety: a line per control, from strict to loose, and the real text."""
    figure = new_figure(8, 5.4)
    axes = figure.subplots()
    for control in CONTROLS:
        points = sampled.sweep(control, settings)
        axes.plot(
            [100 * point.measures.distinct[1] for point in points],
            [100 * point.measures.real_words for point in points],
            color=COLOURS[control],
            marker="o",
            markersize=4,
            linewidth=1.8,
            label=control,
        )
    real = sampled.reference
    axes.plot(
        100 * real.distinct[1],
        100 * real.real_words,
        color=INK,
        marker="*",
        markersize=14,
        linestyle="",
        label="real text",
    )
    axes.axhline(100 * real.real_words, color=MUTED, linewidth=1.0, linestyle=DASHED, zorder=1)
    axes.set_xlabel("distinct word pairs (% of pairs)", fontsize=10, color=INK)
    axes.set_ylabel("real words (% of words)", fontsize=10, color=INK)
    tidy(axes)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    return figure


def _number_top_k(axes: Axes, points: list[Point]) -> None:
    """A logarithmic axis with round numbers on it, and the number of all characters at its end."""
    last = points[-1].value
    ticks = [value for value in (1, 2, 5, 10, 20) if value < last / 1.5]
    axes.set_xscale("log")
    axes.set_xticks([*ticks, last], [*map(str, ticks), f"all ({last})"])
    axes.xaxis.set_minor_locator(NullLocator())
