"""Trainings without clipping at every length and learning rate, and how each of them went.

A training is unstable when its error or its gradient stops being a number, or when the error,
averaged over a window of updates, rises by more than a share of the blind answer's error above the
lowest average before, or ends as much above the blind answer's. A stable one has learned when it
ends below another share, and is stalled otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from ostinato_models.lab.stability.settings import StabilitySettings
from ostinato_models.lab.synthetic.architectures import ARCHITECTURES, ArchitectureName
from ostinato_models.lab.synthetic.tasks import TASKS
from ostinato_models.lab.synthetic.training import Member, Schedule, Trace, train

Outcome: TypeAlias = Literal["learned", "stalled", "unstable"]

TASK = TASKS["adding"]
"""Its error is not bounded, so that it shows what goes wrong."""


@dataclass(frozen=True, slots=True)
class Training:
    """One training, judged.

    Attributes:
        architecture: of the network.
        length: steps of a sequence.
        learning_rate: Adam's.
        seed: decided the first weights and the sequences.
        outcome: how it went.
        final: mean error over the last window, as a multiple of the blind answer's; infinite when it broke.
        rise: the most that the mean error rose above its lowest before, likewise.
        spike: the largest gradient norm after the first window as a multiple of the median one.
    """

    architecture: ArchitectureName
    length: int
    learning_rate: float
    seed: int
    outcome: Outcome
    final: float
    rise: float
    spike: float


def measure(
    settings: StabilitySettings, architecture: ArchitectureName, length: int, watch: Callable[[int], None]
) -> tuple[Training, ...]:
    """Train every network of one architecture at one length; `watch` is told sequence steps, up to `planned_work`."""
    schedule = Schedule(
        parameters=settings.parameters,
        batch_size=settings.batch_size,
        updates=settings.updates,
        clip_norm=None,
        window=settings.window,
    )
    members = [
        Member(settings.seed + repeat, rate) for rate in settings.learning_rates for repeat in range(settings.repeats)
    ]
    done = 0

    def count(updates: int) -> None:
        nonlocal done
        done += updates * length
        watch(done)

    traces = train(ARCHITECTURES[architecture], TASK, length, members, schedule, count)
    watch(planned_work(settings, length))  # trainings that broke are done too
    return tuple(judge(settings, architecture, length, trace) for trace in traces)


def planned_work(settings: StabilitySettings, length: int) -> int:
    """Sequence steps of the trainings of one architecture at `length`."""
    return length * settings.updates * len(settings.learning_rates) * settings.repeats


def judge(settings: StabilitySettings, architecture: ArchitectureName, length: int, trace: Trace) -> Training:
    """Say how one training went."""
    finite = math.isfinite(trace.errors[-1]) and math.isfinite(trace.norms[-1])
    final = rise = math.inf
    if finite:
        means = trace.smoothed(settings.window) / TASK.baseline
        final = float(means[-1])
        rise = float((means - np.minimum.accumulate(means)).max())
    outcome: Outcome
    if rise > settings.rise or final > 1 + settings.rise:
        outcome = "unstable"
    else:
        outcome = "learned" if final < settings.learned_below else "stalled"
    return Training(
        architecture=architecture,
        length=length,
        learning_rate=trace.member.learning_rate,
        seed=trace.member.seed,
        outcome=outcome,
        final=final,
        rise=rise,
        spike=_spike(trace.norms, settings.window),
    )


def select(
    trainings: Iterable[Training],
    architecture: ArchitectureName,
    *,
    length: int | None = None,
    learning_rate: float | None = None,
) -> list[Training]:
    """The trainings of `architecture` that fit what is given, in the order measured."""
    return [
        training
        for training in trainings
        if training.architecture == architecture
        and length in (None, training.length)
        and learning_rate in (None, training.learning_rate)
    ]


def share(trainings: Iterable[Training], outcome: Outcome) -> float:
    """The share of `trainings` that went so."""
    outcomes = [training.outcome for training in trainings]
    return outcomes.count(outcome) / len(outcomes)


def _spike(norms: tuple[float, ...], window: int) -> float:
    """Largest over median; the first window, when every network corrects the size of its answers, is left out."""
    settled = np.array(norms[window:], dtype=np.float64)
    settled = settled[np.isfinite(settled)]
    if not settled.size:
        return math.inf  # it broke before
    median = float(np.median(settled))
    return float(settled.max()) / median if median else math.inf
