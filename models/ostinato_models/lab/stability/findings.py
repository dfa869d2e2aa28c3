"""What stability found, said in sentences whose words follow from the numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from types import MappingProxyType

from ostinato_models.lab.gradient_flow.findings import scientific
from ostinato_models.lab.stability.settings import StabilitySettings
from ostinato_models.lab.stability.trainings import Outcome, Training, select, share
from ostinato_models.lab.synthetic.architectures import ARCHITECTURES, ArchitectureName


def findings(settings: StabilitySettings, trainings: Sequence[Training]) -> tuple[str, str, str]:
    """Three sentences: how many trainings are stable, up to which learning rate, what gradients do meanwhile."""
    return say_shares(trainings), say_limits(settings, trainings), say_spikes(settings, trainings)


def say_shares(trainings: Sequence[Training]) -> str:
    """How many trainings of each architecture were unstable, and how many learned."""
    each = len(trainings) // len(ARCHITECTURES)
    return (
        f"Over all lengths and learning rates, {each} trainings of each architecture without clipping, the share that "
        f"goes unstable is {_say_share(trainings, 'unstable')}, and the share that learns "
        f"{_say_share(trainings, 'learned')}."
    )


def say_limits(settings: StabilitySettings, trainings: Sequence[Training]) -> str:
    """The highest learning rate up to which nothing is unstable, at the shortest and the longest sequence."""
    short, long = (
        ", ".join(
            f"{_say_limit(settings, stable_limit(settings, trainings, name, length))} ({architecture.label})"
            for name, architecture in ARCHITECTURES.items()
        )
        for length in (min(settings.lengths), max(settings.lengths))
    )
    return (
        f"The highest learning rate up to which no training is unstable is {short} at {min(settings.lengths)} steps, "
        f"and {long} at {max(settings.lengths)} steps."
    )


def say_spikes(settings: StabilitySettings, trainings: Sequence[Training]) -> str:
    """How far the largest gradient norm stands out in unstable and in stable trainings, and where most."""
    measured = [training for training in trainings if math.isfinite(training.spike)]
    if not measured:
        return "No training lasted long enough to compare its gradients."
    spikes = {
        "went unstable": [training.spike for training in measured if training.outcome == "unstable"],
        "stayed stable": [training.spike for training in measured if training.outcome != "unstable"],
    }
    factors = " and ".join(f"{scientific(median(found))} where it {end}" for end, found in spikes.items() if found)
    highest = max(measured, key=lambda training: training.spike)
    return (
        f"After the first {settings.window} updates the largest gradient norm of a training exceeds its median norm by "
        f"a factor whose median over trainings is {factors}; the highest factor, {scientific(highest.spike)}, is that "
        f"of a training of the {ARCHITECTURES[highest.architecture].label} at {highest.length} steps and learning rate "
        f"{highest.learning_rate:g} that {_ENDS[highest.outcome]}."
    )


def stable_limit(
    settings: StabilitySettings, trainings: Sequence[Training], name: ArchitectureName, length: int
) -> float | None:
    """The highest learning rate up to which no training is unstable; None when the lowest already has one."""
    limit: float | None = None
    for rate in sorted(settings.learning_rates):
        if share(select(trainings, name, length=length, learning_rate=rate), "unstable") > 0:
            break
        limit = rate
    return limit


_ENDS: Mapping[Outcome, str] = MappingProxyType(
    {"learned": "learned", "stalled": "stalled", "unstable": "went unstable"}
)


def _say_share(trainings: Sequence[Training], outcome: Outcome) -> str:
    """The share of every architecture, the largest first."""
    shares = {name: share(select(trainings, name), outcome) for name in ARCHITECTURES}
    ordered = sorted(shares, key=lambda name: shares[name], reverse=True)
    return ", ".join(f"{100 * shares[name]:.0f} % ({ARCHITECTURES[name].label})" for name in ordered)


def _say_limit(settings: StabilitySettings, limit: float | None) -> str:
    if limit is None:
        return "none"
    return f"{'at least ' if limit == max(settings.learning_rates) else ''}{limit:g}"
