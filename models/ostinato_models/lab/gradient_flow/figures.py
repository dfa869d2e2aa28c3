"""The pictures of gradient-flow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from ostinato_models.lab.figures import BLUE, INK, MUTED, VERMILION, new_figure, ordered_colours, tidy
from ostinato_models.lab.gradient_flow.clipping import Training
from ostinato_models.lab.gradient_flow.networks import NETWORKS, Initialisation, NetworkName
from ostinato_models.lab.gradient_flow.profiles import Profile, select
from ostinato_models.lab.gradient_flow.settings import GradientFlowSettings

DISTANCE = "distance back in time k (steps)"
RATIO = "‖∂loss/∂h$_{T-k}$‖ / ‖∂loss/∂h$_T$‖"
DRAWN: tuple[NetworkName, ...] = ("rnn-tanh", "rnn-relu", "lstm", "gru")
KINDS: Mapping[Initialisation, str] = MappingProxyType({"orthogonal": "orthogonal", "gaussian": "Gaussian"})
DOTTED = (0, (1, 2))
LOWEST_POWER, HIGHEST_POWER = -24, 12
"""Powers of ten between which norms are drawn."""
NORM_CEILING, LOSS_CEILING = 1e6, 100.0
"""Where a training that diverges leaves the picture."""
COLOUR_LIMIT = 12.0
"""Powers of ten at which the map's colours saturate; the numbers in it do not."""


def draw_profiles(profiles: Sequence[Profile], settings: GradientFlowSettings) -> Figure:
    """Norm by distance: a panel per network, a line per spectral radius."""
    figure = new_figure(10, 7)
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for axes, name in zip(panels.flat, DRAWN, strict=True):
        for profile, colour in _coloured(select(profiles, name, length=settings.longest)):
            axes.plot(profile.ratios, color=colour, linewidth=1.8, label=rf"$\rho$ = {profile.case.radius:g}")
            if profile.bounds is not None:
                axes.plot(profile.bounds, color=colour, linewidth=1.0, linestyle=DOTTED)
        axes.set_title(NETWORKS[name].label, fontsize=11, color=INK)
        _style_ratio(axes)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    (bound,) = panels[0, 0].plot([], [], color=INK, linewidth=1.0, linestyle=DOTTED)
    figure.legend(
        [*handles, bound],
        [*labels, r"bound $\sigma^k$"],
        loc="outside upper center",
        ncols=len(labels) + 1,
        frameon=False,
    )
    figure.supxlabel(DISTANCE, fontsize=10, color=INK)
    figure.supylabel(f"{RATIO} (no unit)", fontsize=10, color=INK)
    return figure


def draw_bounds(profiles: Sequence[Profile], settings: GradientFlowSettings) -> Figure:
    """Measured norm against the bound: a row per kind of matrix, a panel per vanilla network."""
    names = [name for name, network in NETWORKS.items() if network.bounded]
    figure = new_figure(11, 7)
    panels = figure.subplots(len(KINDS), len(names), sharex=True, sharey=True)
    for row, kind in zip(panels, KINDS, strict=True):
        for axes, name in zip(row, names, strict=True):
            found = select(profiles, name, initialisation=kind, length=settings.longest)
            for profile, colour in _coloured(found):
                if profile.bounds is not None:
                    share = profile.ratios / profile.bounds
                    axes.plot(share, color=colour, linewidth=1.8, label=rf"$\rho$ = {profile.case.radius:g}")
            axes.axhline(1.0, color=INK, linewidth=1.0, linestyle=DOTTED, label="the bound itself")
            axes.set_yscale("log")
            axes.minorticks_off()
            axes.set_title(f"{NETWORKS[name].label}, {KINDS[kind]}", fontsize=11, color=INK)
            tidy(axes)
    lowest = math.log10(panels[0, 0].get_ylim()[0])
    step = max(1, math.ceil(-lowest / 6))
    panels[0, 0].set_yticks([10.0**-power for power in range(0, math.ceil(-lowest), step)])
    panels[0, 0].set_ylim(10.0**lowest, 10.0 ** (step / 2))
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    figure.supxlabel(DISTANCE, fontsize=10, color=INK)
    figure.supylabel(r"measured ratio / bound $\sigma^k$ (no unit)", fontsize=10, color=INK)
    return figure


def draw_reach(profiles: Sequence[Profile], settings: GradientFlowSettings) -> Figure:
    """What is left at the first step: radius by sequence length, a map per network."""
    figure = new_figure(10, 7)
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    scale = TwoSlopeNorm(vmin=-COLOUR_LIMIT, vcenter=0.0, vmax=COLOUR_LIMIT)
    for axes, name in zip(panels.flat, DRAWN, strict=True):
        powers = np.array(
            [
                [np.log10(select(profiles, name, radius=radius, length=length)[0].reach) for length in settings.lengths]
                for radius in settings.radii
            ]
        )
        image = axes.imshow(powers, cmap="RdBu_r", norm=scale, aspect="auto", origin="lower")
        for (row, column), power in np.ndenumerate(powers):
            strong = abs(power) > 0.6 * COLOUR_LIMIT
            axes.text(
                column, row, f"{power:+.1f}", ha="center", va="center", fontsize=9, color="white" if strong else INK
            )
        axes.set_xticks(range(len(settings.lengths)), [str(length) for length in settings.lengths])
        axes.set_yticks(range(len(settings.radii)), [f"{radius:g}" for radius in settings.radii])
        axes.set_title(NETWORKS[name].label, fontsize=11, color=INK)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, colors=INK, labelsize=9)
    bar = figure.colorbar(image, ax=panels, extend="both", shrink=0.8)
    bar.set_label("log$_{10}$ of ‖∂loss/∂h$_0$‖ / ‖∂loss/∂h$_T$‖", fontsize=10, color=INK)
    bar.outline.set_visible(False)
    figure.supxlabel("sequence length T (steps)", fontsize=10, color=INK)
    figure.supylabel(r"spectral radius $\rho$ of the recurrent matrix (no unit)", fontsize=10, color=INK)
    return figure


def draw_clipping(unclipped: Training, clipped: Training) -> Figure:
    """Gradient norm and loss by update, with and without clipping."""
    figure = new_figure(10, 4)
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_yscale("log")
    limit = clipped.clip_norm
    for training, colour, label in (
        (unclipped, VERMILION, "unclipped"),
        (clipped, BLUE, f"clipped at {limit:g}"),
    ):
        _draw_until_gone(left, training.norms, colour, label, ceiling=NORM_CEILING)
        _draw_until_gone(right, training.losses, colour, label, ceiling=LOSS_CEILING)
    updates = range(1, len(clipped.applied) + 1)
    left.plot(
        updates,
        clipped.applied,
        color=INK,
        linewidth=1.4,
        linestyle=DOTTED,
        label=f"clipped at {limit:g}: norm applied",
    )
    right.set_yticks([2, 5, 10, 20, 50, 100], ["2", "5", "10", "20", "50", "100"])
    right.minorticks_off()
    left.set_ylabel(
        "norm of the gradient of all parameters\n(nats per character per unit of parameter)", fontsize=10, color=INK
    )
    right.set_ylabel("training loss (nats per character)", fontsize=10, color=INK)
    for axes in (left, right):
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("update (number)", fontsize=10, color=INK)
        tidy(axes)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    return figure


def _draw_until_gone(axes: Axes, values: Sequence[float], colour: str, label: str, *, ceiling: float) -> None:
    """Draw a line up to `ceiling`; where it goes through for good, end it with a cross."""
    last = max((index for index, value in enumerate(values) if value <= ceiling), default=-1)
    updates, drawn = list(range(1, last + 2)), list(values[: last + 1])
    if last + 1 < len(values):
        updates.append(last + 2)
        drawn.append(ceiling)
        axes.plot(updates[-1], ceiling, marker="x", color=colour, markersize=8, markeredgewidth=2, clip_on=False)
    axes.plot(updates, drawn, color=colour, linewidth=1.3, label=label)
    axes.set_ylim(top=ceiling)


def _style_ratio(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.set_yticks([10.0**power for power in range(LOWEST_POWER, HIGHEST_POWER + 1, 6)])
    axes.minorticks_off()
    axes.set_ylim(10.0**LOWEST_POWER, 10.0**HIGHEST_POWER)
    axes.axhline(1.0, color=MUTED, linewidth=0.8)
    tidy(axes)


def _coloured(profiles: Sequence[Profile]) -> list[tuple[Profile, str]]:
    return list(zip(profiles, ordered_colours(len(profiles)), strict=True))
