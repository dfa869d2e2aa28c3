"""The pictures of attention."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from ostinato_models.lab.attention.agreement import AlignmentMap
from ostinato_models.lab.attention.lengths import LengthScore
from ostinato_models.lab.figures import BLUE, INK, VERMILION, new_figure, tidy

INCHES_A_WORD = 0.42


def draw_lengths(scores: Sequence[LengthScore]) -> Figure:
    """BLEU of both networks by the source's length."""
    figure = new_figure(7, 4)
    axes = figure.subplots()
    groups = scores[:-1]
    places = range(len(groups))
    axes.plot(places, [group.attention for group in groups], "o-", color=BLUE, linewidth=2, label="with attention")
    axes.plot(places, [group.fixed for group in groups], "s--", color=VERMILION, linewidth=2, label="without")
    axes.set_xticks(list(places), [f"{group.label}\n({group.sentences} sentences)" for group in groups])
    axes.set_xlabel("length of the source (words)", color=INK)
    axes.set_ylabel("BLEU (of 100)", color=INK)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    tidy(axes)
    return figure


def draw_map(found: AlignmentMap) -> Figure:
    """Attention as shades, the aligner's choice as rings."""
    width = 2.2 + INCHES_A_WORD * len(found.source)
    height = 1.9 + INCHES_A_WORD * len(found.target)
    figure = new_figure(width, height)
    axes = figure.subplots()
    shades = axes.imshow(found.weights, cmap="Blues", vmin=0.0, vmax=1.0, aspect="equal")
    ringed = [(place, row) for row, place in enumerate(found.aligned) if place is not None]
    axes.scatter(
        [place for place, _ in ringed],
        [row for _, row in ringed],
        s=130,
        facecolors="none",
        edgecolors=VERMILION,
        linewidths=1.6,
        label="the aligner's word",
    )
    axes.set_xticks(range(len(found.source)), found.source, rotation=60, ha="left", rotation_mode="anchor")
    axes.set_yticks(range(len(found.target)), found.target)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("source word", color=INK)
    axes.set_ylabel("word of the translation", color=INK)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.colorbar(shades, ax=axes, shrink=0.8, label="attention (share, rows sum to 1)")
    figure.legend(loc="outside lower center", frameon=False)
    return figure
