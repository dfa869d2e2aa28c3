"""The pictures of sentiment-comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from ostinato_models.data.examples import POSITIVE
from ostinato_models.lab.figures import BLUE, INK, MUTED, VERMILION, new_figure, tidy
from ostinato_models.lab.sentiment_comparison.contenders import CONTENDERS
from ostinato_models.lab.sentiment_comparison.pairs import JudgedPair
from ostinato_models.lab.sentiment_comparison.scores import SentimentComparisonResult
from ostinato_models.lab.sentiment_comparison.trials import Trial

LABELS = [contender.label for contender in CONTENDERS.values()]
PLACES = np.arange(len(LABELS))


def draw_quality(result: SentimentComparisonResult) -> Figure:
    """Accuracy and F1: the mean with its interval, and every seed."""
    figure = new_figure(10, 3.4)
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, measure, label in (
        (left, result.accuracy, "accuracy (% of the test texts)"),
        (right, result.f1, "F1 of the positive class (%)"),
    ):
        _draw_estimates(axes, result, measure, BLUE, offset=0.0)
        _keep_to_percent(axes)
        axes.set_xlabel(label, fontsize=10, color=INK)
    _name_rows(left)
    return figure


def draw_cost(result: SentimentComparisonResult) -> Figure:
    """Training time and size on logarithmic scales, and latency."""
    figure = new_figure(11, 3.4)
    training, size, latency = figure.subplots(1, 3, sharey=True)
    measures: tuple[tuple[Axes, Callable[[Trial], float], str], ...] = (
        (training, lambda trial: trial.training_seconds, "training (s of processor time)"),
        (size, lambda trial: trial.size / 1e6, "served file (MB)"),
    )
    for axes, measure, label in measures:
        values = [result.estimate(name, measure).mean for name in CONTENDERS]
        axes.plot(values, PLACES, "o", color=BLUE, markersize=8)
        _write_values(axes, values)
        axes.set_xlabel(label, fontsize=10, color=INK)
    medians = [result.estimate(name, lambda trial: trial.latencies[0]).mean for name in CONTENDERS]
    highs = [result.estimate(name, lambda trial: trial.latencies[1]).mean for name in CONTENDERS]
    latency.hlines(PLACES, medians, highs, color=MUTED, linewidth=1.5)
    latency.plot(medians, PLACES, "o", color=BLUE, markersize=8, label="50th percentile")
    latency.plot(highs, PLACES, "D", color=VERMILION, markersize=6, label="99th percentile")
    latency.set_xlabel("latency of one text (ms)", fontsize=10, color=INK)
    figure.legend(*latency.get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False)
    for axes in (training, size, latency):
        tidy(axes)
        axes.margins(x=0.25)
    for axes in (training, size):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
    latency.set_xlim(left=0.0)
    _name_rows(training)
    return figure


def draw_negation(result: SentimentComparisonResult) -> Figure:
    """Accuracy on the texts without and with a word of negation."""
    figure = new_figure(8, 3.8)
    axes = figure.subplots()
    count = sum(result.negated)
    _draw_estimates(
        axes,
        result,
        lambda trial: result.accuracy(trial, negated=False),
        BLUE,
        offset=-0.12,
        label=f"without a word of negation ({len(result.negated) - count:,} texts)",
    )
    _draw_estimates(
        axes,
        result,
        lambda trial: result.accuracy(trial, negated=True),
        VERMILION,
        offset=0.12,
        label=f"with one ({count:,} texts)",
    )
    _keep_to_percent(axes)
    axes.set_xlabel("accuracy (% of the texts)", fontsize=10, color=INK)
    _name_rows(axes)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure


def draw_pairs(judged: Sequence[JudgedPair]) -> Figure:
    """The probability that every model gives every sentence, on a map; a cross where the class is wrong."""
    rows = [row for pair in judged for row in pair.sentences()]
    chances = np.array([[row[1][name] for name in CONTENDERS] for row in rows])  # (2P, M)
    figure = new_figure(9, 1.6 + 0.3 * len(rows))
    axes = figure.subplots()
    image = axes.imshow(chances, cmap="RdBu", vmin=0.0, vmax=1.0, aspect="auto")
    for (row, column), chance in np.ndenumerate(chances):
        wrong = (chance > 0.5) != (rows[row][0].label == POSITIVE)
        axes.text(
            column,
            row,
            f"{chance:.2f}" + (" ✗" if wrong else ""),
            ha="center",
            va="center",
            fontsize=9,
            color="white" if abs(chance - 0.5) > 0.28 else INK,
        )
    axes.hlines(np.arange(1.5, len(rows) - 1, 2), -0.5, len(LABELS) - 0.5, color="white", linewidth=4)
    axes.set_xticks(PLACES, LABELS)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("model", fontsize=10, color=INK, labelpad=8)
    signs = {True: "+", False: "\N{MINUS SIGN}"}  # what was meant
    axes.set_yticks(range(len(rows)), [f"{text.text}  ({signs[text.label == POSITIVE]})" for text, _ in rows])
    axes.set_ylabel("sentence (+ meant as praise, \N{MINUS SIGN} as blame)", fontsize=10, color=INK)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, colors=INK, labelsize=9)
    bar = figure.colorbar(image, ax=axes, shrink=0.7)
    bar.set_label("probability of positive (no unit)", fontsize=10, color=INK)
    bar.outline.set_visible(False)
    return figure


def _draw_estimates(
    axes: Axes,
    result: SentimentComparisonResult,
    measure: Callable[[Trial], float],
    colour: str,
    offset: float,
    label: str = "",
) -> None:
    """Draw means with intervals, in percent, and the seeds as strokes."""
    estimates = [result.estimate(name, measure) for name in CONTENDERS]
    axes.errorbar(
        [100 * value.mean for value in estimates],
        PLACES + offset,
        xerr=[100 * value.half_width for value in estimates],
        fmt="o",
        color=colour,
        markersize=7,
        elinewidth=1.4,
        capsize=3,
        label=label,
    )
    for place, name in enumerate(CONTENDERS):
        seeds = [100 * measure(trial) for trial in result.of(name)]
        axes.plot(seeds, [place + offset] * len(seeds), "|", color=INK, markersize=9, zorder=3)
    tidy(axes)


def _keep_to_percent(axes: Axes) -> None:
    """Cut the axis where there are no shares: an interval of two seeds can be wider than all there is."""
    low, high = axes.get_xlim()
    axes.set_xlim(max(low, 0.0), min(high, 101.0))


def _write_values(axes: Axes, values: Sequence[float]) -> None:
    for place, value in zip(PLACES, values, strict=True):
        axes.annotate(
            f"{value:.3g}",
            (value, place),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color=INK,
        )


def _name_rows(axes: Axes) -> None:
    """Name the models on the vertical axis, the first on top."""
    axes.set_yticks(PLACES, LABELS)
    axes.set_ylim(len(LABELS) - 0.5, -0.6)
    axes.set_ylabel("model", fontsize=10, color=INK)
