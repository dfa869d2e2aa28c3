"""What gradient-flow found, said in sentences whose words follow from the numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ostinato_models.lab.gradient_flow.clipping import Training
from ostinato_models.lab.gradient_flow.networks import NETWORKS, NetworkName
from ostinato_models.lab.gradient_flow.profiles import Profile, select
from ostinato_models.lab.gradient_flow.settings import GradientFlowSettings

ROUNDING = 1e-9
"""By how much a measured ratio may pass the bound and still be called equal to it."""


def findings(
    settings: GradientFlowSettings, profiles: Sequence[Profile], unclipped: Training, clipped: Training
) -> tuple[str, str, str]:
    """Three sentences: vanishing and exploding with the bound, the cells compared, clipping."""
    return (
        say_flow(settings, profiles),
        say_cells(settings, profiles),
        say_clipping(unclipped, clipped),
    )


def say_flow(settings: GradientFlowSettings, profiles: Sequence[Profile]) -> str:
    """How vanilla gradients change with the radius, and whether they obey the bound."""
    vanilla: tuple[NetworkName, ...] = ("rnn-tanh", "rnn-relu")
    flows = ", that of ".join(_say_ends(select(profiles, name, length=settings.longest)) for name in vanilla)
    bounded = [profile for profile in profiles if profile.closest is not None]
    total = sum(profile.case.length * settings.repeats for profile in bounded)
    broken = [profile for profile in bounded if (profile.closest or 0.0) > 1.0 + ROUNDING]
    obeyed = (
        f"all {total:,} norms measured in vanilla networks obey the theoretical bound"
        if not broken
        else f"{len(broken)} of {len(bounded)} vanilla cases break the theoretical bound"
    )
    nearest = max(profile.closest or 0.0 for profile in bounded if profile.case.network != "linear")
    return (
        f"Over {settings.longest} steps back in time the gradient of {flows}; {obeyed}, the closest of a nonlinear "
        f"network reaching {100 * nearest:.0f} % of it."
    )


def say_cells(settings: GradientFlowSettings, profiles: Sequence[Profile]) -> str:
    """How far each cell lets a gradient reach at the radius nearest 1."""
    radius = min(settings.radii, key=lambda value: abs(math.log(value)))
    names: tuple[NetworkName, ...] = ("rnn-tanh", "rnn-relu", "lstm", "gru")
    found = [select(profiles, name, radius=radius, length=settings.longest)[0] for name in names]
    found.sort(key=lambda profile: profile.reach, reverse=True)
    order = ", ".join(f"{scientific(profile.reach)} ({NETWORKS[profile.case.network].label})" for profile in found)
    best = found[0]
    survived = one_percent_distance(best)
    ends = (
        f"is still above 1 % after {settings.longest} steps"
        if survived is None
        else f"falls below 1 % {survived} steps back"
    )
    return (
        f"With every recurrent matrix at spectral radius {radius:g}, the fraction of the gradient left "
        f"{settings.longest} steps back is {order}; the one that lasts longest, in the "
        f"{NETWORKS[best.case.network].label}, {ends}."
    )


def say_clipping(unclipped: Training, clipped: Training) -> str:
    """What clipping did to the two trainings."""
    updates = len(clipped.losses)
    biggest = max(norm for norm in clipped.norms if math.isfinite(norm))
    cut = sum(norm > (clipped.clip_norm or math.inf) for norm in clipped.norms)
    without = (
        f"overflowed at update {len(unclipped.losses)}"
        if unclipped.diverged
        else f"ended at {unclipped.losses[-1]:.2f}"
    )
    with_clipping = (
        f"overflowed at update {updates}"
        if clipped.diverged
        else f"went from {clipped.losses[0]:.2f} to {clipped.losses[-1]:.2f} nats per character in {updates} updates"
    )
    return (
        f"Trained on the same batches from the same weights, the network without clipping {without}, while the one "
        f"whose gradient is clipped at norm {clipped.clip_norm:g} {with_clipping}, with {cut} of its gradients cut, "
        f"the largest from a norm of {scientific(biggest)}."
    )


def one_percent_distance(profile: Profile) -> int | None:
    """The first distance at which less than 1 % is left; None if there is none."""
    below = np.flatnonzero(profile.ratios < 0.01)
    return int(below[0]) if below.size else None


def scientific(value: float) -> str:
    """A number of any size, short: 0.35, 2.7·10⁻⁷."""
    if 0.01 <= value < 1000:
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}·10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def _say_ends(found: Sequence[Profile]) -> str:
    """What one network does at the lowest and the highest radius."""
    label = NETWORKS[found[0].case.network].label
    low, high = found[0], found[-1]
    return (
        f"the {label} {_changes(low.reach)} of itself at spectral radius {low.case.radius:g} "
        f"and {_changes(high.reach)} at {high.case.radius:g}"
    )


def _changes(ratio: float) -> str:
    return f"{'grows' if ratio > 1 else 'shrinks'} to {scientific(ratio)}"


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
