"""The pictures of architectures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from ostinato_models.lab.architectures.costs import MIB, Cost
from ostinato_models.lab.architectures.ranges import Range
from ostinato_models.lab.architectures.settings import ArchitecturesSettings
from ostinato_models.lab.figures import INK, MUTED, new_figure, tidy
from ostinato_models.lab.synthetic.architectures import ARCHITECTURES
from ostinato_models.lab.synthetic.look import COLOURS, MARKERS
from ostinato_models.lab.synthetic.tasks import TASKS

ABOVE = 1.35
"""Times the most updates: where a cross stands."""
SPREAD = 1.05
"""By which crosses at one length stand apart."""


def draw_ranges(ranges: Sequence[Range], settings: ArchitecturesSettings) -> Figure:
    """Updates needed by length: a panel per task, a line per architecture, a cross where it stops."""
    figure = new_figure(10, 4.6)
    panels = figure.subplots(1, len(TASKS), sharey=True)
    for axes, (name, task) in zip(panels, TASKS.items(), strict=True):
        found = [each for each in ranges if each.task == name]
        stops = [each.stops for each in found]
        for place, each in enumerate(found):
            learned = [trial for trial in each.best if math.isfinite(trial.needed)]
            colour = COLOURS[each.architecture]
            lengths: list[float] = [trial.length for trial in learned]
            axes.plot(
                lengths,
                [trial.needed for trial in learned],
                color=colour,
                marker=MARKERS[each.architecture],
                markersize=5,
                linewidth=1.8,
                label=ARCHITECTURES[each.architecture].label,
            )
            if each.stops is not None:
                before, beside = stops[:place].count(each.stops), stops.count(each.stops)
                at = each.stops * SPREAD ** (2 * before - beside + 1)
                start = [(lengths[-1], learned[-1].needed)] if learned else []
                axes.plot(
                    *zip(*start, (at, ABOVE * settings.updates), strict=True),
                    color=colour,
                    linewidth=1.0,
                    linestyle=(0, (2, 2)),
                )
                axes.plot(at, ABOVE * settings.updates, color=colour, marker="x", markersize=9, markeredgewidth=2.2)
        axes.axhline(settings.updates, color=MUTED, linewidth=0.8)
        axes.set_title(task.label, fontsize=11, color=INK)
        axes.set_xlabel(task.length_label, fontsize=10, color=INK)
        axes.set_xscale("log")
        axes.set_yscale("log")
        lengths_tried = settings.lengths(name)
        _tick_lengths(axes, lengths_tried[::2] if len(lengths_tried) > 6 else lengths_tried)
        _tick_values(axes)
        tidy(axes)
    panels[0].set_ylabel("updates until half of the networks have learned\n(number, at the best learning rate)")
    panels[0].yaxis.label.set(fontsize=10, color=INK)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    return figure


def draw_costs(costs: Sequence[Cost], settings: ArchitecturesSettings) -> Figure:
    """Speed and memory by length, a line per architecture."""
    figure = new_figure(10, 4.4)
    speed, memory = figure.subplots(1, 2)
    for name, architecture in ARCHITECTURES.items():
        found = [cost for cost in costs if cost.architecture == name]
        lengths = [cost.length for cost in found]
        for axes, values in (
            (speed, [cost.steps_per_second for cost in found]),
            (memory, [cost.activation_bytes / MIB for cost in found]),
        ):
            axes.plot(
                lengths,
                values,
                color=COLOURS[name],
                marker=MARKERS[name],
                markersize=5,
                linewidth=1.8,
                label=architecture.label,
            )
    held = max(cost.state_bytes for cost in costs) / MIB
    (line,) = memory.plot(settings.cost_lengths, [held] * len(settings.cost_lengths), color=INK, linestyle=(0, (1, 2)))
    for axes in (speed, memory):
        axes.set_xscale("log")
        _tick_lengths(axes, settings.cost_lengths)
        axes.set_xlabel("sequence length (steps)", fontsize=10, color=INK)
        tidy(axes)
    memory.set_yscale("log")
    _tick_values(memory)
    speed.set_ylim(bottom=0)
    speed.yaxis.set_major_formatter("{x:,.0f}")
    speed.set_ylabel("training speed (steps/s, higher is better)", fontsize=10, color=INK)
    memory.set_ylabel("held for the backward pass (MiB)", fontsize=10, color=INK)
    handles, labels = speed.get_legend_handles_labels()
    figure.legend(
        [*handles, line],
        [*labels, "parameters, gradients, Adam's averages"],
        loc="outside upper center",
        ncols=5,
        frameon=False,
    )
    return figure


def _tick_lengths(axes: Axes, lengths: Sequence[int]) -> None:
    """Write the lengths measured under a logarithmic axis, and no others."""
    axes.set_xticks(lengths, [str(length) for length in lengths])
    axes.set_xticks([], minor=True)


def _tick_values(axes: Axes) -> None:
    """Write 1, 2 and 5 of every power of ten beside a logarithmic axis."""
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks([], minor=True)
