"""The pictures of word-sense."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from matplotlib.figure import Figure

from ostinato_models.lab.figures import BLUE, INK, MUTED, VERMILION, new_figure, tidy
from ostinato_models.lab.word_sense.contexts import SENSES, WORD, Sense, Side, examples
from ostinato_models.lab.word_sense.encoders import ENCODERS, EncoderName
from ostinato_models.lab.word_sense.findings import CHANCE, accuracies
from ostinato_models.lab.word_sense.measurements import OFFSETS, Measured

COLOURS: Mapping[EncoderName, str] = MappingProxyType({"left-to-right": VERMILION, "bidirectional": BLUE})
SENSE_STYLE: Mapping[Sense, tuple[str, str]] = MappingProxyType({"river": (BLUE, "o"), "money": (VERMILION, "x")})
GROUPS: tuple[tuple[Side, str], ...] = (
    ("left", f"a word before “{WORD}”"),
    ("right", f"a word after “{WORD}”"),
)


def draw_accuracy(measured: Measured) -> Figure:
    """The probe's accuracy at the word: a group per deciding side, a bar per encoder."""
    figure = new_figure(7, 4)
    axes = figure.subplots()
    for place, name in enumerate(ENCODERS):
        for group, (side, _) in enumerate(GROUPS):
            values = 100 * np.array(accuracies(measured.select(name, side)))
            x = group + 0.36 * (place - 0.5)
            axes.bar(x, values.mean(), width=0.32, color=COLOURS[name], label=name if group == 0 else None)
            axes.plot([x, x], [values.min(), values.max()], color=INK, linewidth=1.6)
            axes.text(x, values.max() + 2, f"{values.mean():.0f}", ha="center", fontsize=9, color=INK)
    axes.axhline(100 * CHANCE, color=MUTED, linewidth=1.0, linestyle="--", label="chance")
    axes.set_xticks(range(len(GROUPS)), [label for _, label in GROUPS])
    axes.set_xlabel("what decides the sense", fontsize=10, color=INK)
    axes.set_ylim(0, 110)
    axes.set_yticks(range(0, 101, 25))
    axes.set_ylabel(f"sense told from the state at “{WORD}”\n(% of sentences)", fontsize=10, color=INK)
    tidy(axes)
    axes.grid(visible=False, axis="x")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    return figure


def draw_moment(measured: Measured) -> Figure:
    """The probe's accuracy word by word, where a word after "bank" decides."""
    figure = new_figure(7, 4)
    axes = figure.subplots()
    for name in ENCODERS:
        found = 100 * np.array([accuracies(measured.select(name, "right", offset)) for offset in OFFSETS])
        axes.plot(OFFSETS, found.mean(axis=1), color=COLOURS[name], linewidth=1.8, marker="o", label=name)
        axes.fill_between(OFFSETS, found.min(axis=1), found.max(axis=1), color=COLOURS[name], alpha=0.18, linewidth=0)
    axes.axhline(100 * CHANCE, color=MUTED, linewidth=1.0, linestyle="--", label="chance")
    axes.axvline(0, color=MUTED, linewidth=0.8)
    axes.set_xticks(list(OFFSETS), ["deciding\nword" if offset == 0 else f"{offset:+d}" for offset in OFFSETS])
    axes.set_ylim(0, 110)
    axes.set_yticks(range(0, 101, 25))
    axes.set_xlabel("word whose state is read (words from the deciding word)", fontsize=10, color=INK)
    axes.set_ylabel("sense told from the state\n(% of sentences)", fontsize=10, color=INK)
    tidy(axes)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    return figure


def draw_states(measured: Measured) -> Figure:
    """States at "bank" where the words after it decide: a panel per encoder, a mark per sentence."""
    figure = new_figure(9, 4.2)
    panels = figure.subplots(1, len(measured.projections))
    truth = np.array([example.sense for example in examples("right")])
    for axes, projection in zip(panels, measured.projections, strict=True):
        for sense in SENSES:
            colour, marker = SENSE_STYLE[sense]
            x, y = projection.points[truth == sense].T
            axes.plot(x, y, linestyle="", marker=marker, color=colour, fillstyle="none", markersize=6, label=sense)
        axes.set_title(projection.encoder, fontsize=11, color=INK)
        axes.set_xlabel("first principal component (no unit)", fontsize=10, color=INK)
        tidy(axes)
    panels[0].set_ylabel("second principal component (no unit)", fontsize=10, color=INK)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    return figure
