"""The pictures of stability."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ostinato_models.lab.figures import BLUE, INK, MUTED, VERMILION, new_figure, ordered_colours, tidy
from ostinato_models.lab.stability.settings import StabilitySettings
from ostinato_models.lab.stability.trainings import Training, select, share
from ostinato_models.lab.synthetic.architectures import ARCHITECTURES, ArchitectureName

RATE = "learning rate of Adam (no unit)"
HIGHEST_ERROR = 1e2
"""The multiple of the blind answer's error at which larger ones are drawn."""


def draw_outcomes(trainings: Sequence[Training], settings: StabilitySettings) -> Figure:
    """How trainings went: learning rate by length, a map per architecture."""
    figure = new_figure(10, 7.4)
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    shades = LinearSegmentedColormap.from_list("outcomes", [VERMILION, "#ececec", BLUE])
    for axes, (name, architecture) in zip(panels.flat, ARCHITECTURES.items(), strict=True):
        cells = [
            [select(trainings, name, length=length, learning_rate=rate) for length in settings.lengths]
            for rate in settings.learning_rates
        ]
        balance = np.array([[share(cell, "learned") - share(cell, "unstable") for cell in row] for row in cells])
        image = axes.imshow(balance, cmap=shades, vmin=-1, vmax=1, aspect="auto", origin="lower")
        for (row, column), value in np.ndenumerate(balance):
            axes.text(
                column,
                row,
                _count(cells[row][column]),
                ha="center",
                va="center",
                fontsize=9,
                color="white" if abs(value) > 0.7 else INK,
            )
        axes.set_xticks(range(len(settings.lengths)), [str(length) for length in settings.lengths])
        axes.set_yticks(range(len(settings.learning_rates)), [f"{rate:g}" for rate in settings.learning_rates])
        axes.set_title(architecture.label, fontsize=11, color=INK)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, colors=INK, labelsize=9)
        for line in range(1, len(settings.lengths)):
            axes.axvline(line - 0.5, color="white", linewidth=1.5)
        for line in range(1, len(settings.learning_rates)):
            axes.axhline(line - 0.5, color="white", linewidth=1.5)
    bar = figure.colorbar(image, ax=panels, shrink=0.8)
    bar.set_label("share learned minus share unstable (no unit)", fontsize=10, color=INK)
    bar.outline.set_visible(False)
    figure.supxlabel("sequence length (steps)", fontsize=10, color=INK)
    figure.supylabel(RATE, fontsize=10, color=INK)
    return figure


def draw_errors(trainings: Sequence[Training], settings: StabilitySettings) -> Figure:
    """Final error by learning rate: a panel per architecture, a line per length, a dot per training."""

    def drawn(training: Training) -> float:
        return min(training.final, HIGHEST_ERROR)

    figure = _by_rate(trainings, settings, drawn, "mean error at the end / that of a blind answer (no unit)")
    for axes in figure.axes:
        axes.axhline(1.0, color=MUTED, linewidth=0.8)
    return figure


def draw_spikes(trainings: Sequence[Training], settings: StabilitySettings) -> Figure:
    """The largest gradient norm by learning rate, in the same panels."""
    ceiling = max(training.spike for training in trainings if math.isfinite(training.spike))

    def drawn(training: Training) -> float:
        return min(training.spike, ceiling)

    return _by_rate(trainings, settings, drawn, "largest gradient norm / median gradient norm (no unit)")


def _by_rate(
    trainings: Sequence[Training], settings: StabilitySettings, value: Callable[[Training], float], label: str
) -> Figure:
    """A panel per architecture, a line of medians per length, a dot per training."""
    figure = new_figure(10, 7)
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    colours = ordered_colours(len(settings.lengths))
    for axes, (name, architecture) in zip(panels.flat, ARCHITECTURES.items(), strict=True):
        for length, colour in zip(settings.lengths, colours, strict=True):
            _draw_length(axes, trainings, settings, name, length, value, colour)
        axes.set_title(architecture.label, fontsize=11, color=INK)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(settings.learning_rates, [f"{rate:g}" for rate in settings.learning_rates])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.minorticks_off()
        tidy(axes)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    figure.supxlabel(RATE, fontsize=10, color=INK)
    figure.supylabel(label, fontsize=10, color=INK)
    return figure


def _draw_length(
    axes: Axes,
    trainings: Sequence[Training],
    settings: StabilitySettings,
    name: ArchitectureName,
    length: int,
    value: Callable[[Training], float],
    colour: str,
) -> None:
    found = select(trainings, name, length=length)
    axes.scatter(
        [training.learning_rate for training in found],
        [value(training) for training in found],
        s=10,
        color=colour,
        alpha=0.45,
        linewidths=0,
    )
    medians = [
        median(value(training) for training in found if training.learning_rate == rate)
        for rate in settings.learning_rates
    ]
    axes.plot(settings.learning_rates, medians, color=colour, linewidth=1.8, label=f"{length} steps")


def _count(cell: Sequence[Training]) -> str:
    """Learned / stalled / unstable."""
    outcomes = [training.outcome for training in cell]
    return " / ".join(str(outcomes.count(outcome)) for outcome in ("learned", "stalled", "unstable"))
