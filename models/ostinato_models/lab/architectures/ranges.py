"""Dependency range: at which length an architecture stops learning a task.

A network has learned when its error, averaged over a window of updates on new sequences, falls
below a share of the baseline's within the updates it gets. An architecture learns a length when at
least half of its networks do so at one of the learning rates. Lengths grow until it does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median_low

from ostinato_models.lab.architectures.settings import ArchitecturesSettings
from ostinato_models.lab.synthetic.architectures import ARCHITECTURES, ArchitectureName
from ostinato_models.lab.synthetic.tasks import TASKS, TaskName
from ostinato_models.lab.synthetic.training import Member, Schedule, Trace, train


@dataclass(frozen=True, slots=True)
class Trial:
    """The networks of one architecture at one length and learning rate.

    Attributes:
        length: the task's.
        learning_rate: Adam's.
        updates: that each network needed to learn, infinite where it did not.
    """

    length: int
    learning_rate: float
    updates: tuple[float, ...]

    @property
    def needed(self) -> float:
        """Updates within which half of the networks have learned; infinite when fewer than half ever do."""
        return median_low(self.updates)

    @property
    def learned(self) -> int:
        """How many networks did."""
        return sum(map(math.isfinite, self.updates))


@dataclass(frozen=True, slots=True)
class Range:
    """How far one architecture got on one task.

    Attributes:
        architecture: which.
        task: which.
        trials: at each length tried, from the shortest, one per learning rate.
    """

    architecture: ArchitectureName
    task: TaskName
    trials: tuple[tuple[Trial, ...], ...]

    @property
    def best(self) -> tuple[Trial, ...]:
        """At each length the trial whose networks needed the fewest updates."""
        return tuple(min(trials, key=lambda trial: (trial.needed, -trial.learned)) for trials in self.trials)

    @property
    def longest(self) -> int | None:
        """The longest length learned; None when not even the shortest was."""
        return max((trial.length for trial in self.best if math.isfinite(trial.needed)), default=None)

    @property
    def stops(self) -> int | None:
        """The length that it does not learn any more; None when it learned all."""
        last = self.best[-1]
        return None if math.isfinite(last.needed) else last.length


def measure_range(
    architecture: ArchitectureName, task: TaskName, settings: ArchitecturesSettings, watch: Callable[[int], None]
) -> Range:
    """Train at growing lengths until one is not learned; `watch` is told the work done, of that in `planned_work`."""
    done = 0
    tried: list[tuple[Trial, ...]] = []
    for length in settings.lengths(task):
        before = done
        steps = TASKS[task].steps(length)

        def count(updates: int, steps: int = steps) -> None:
            nonlocal done
            done += updates * steps
            watch(done)

        tried.append(_try(architecture, task, length, settings, count))
        done = before + _work(task, length, settings)  # trainings that ended early are done too
        watch(done)
        if all(math.isinf(trial.needed) for trial in tried[-1]):
            break
    watch(planned_work(task, settings))
    return Range(architecture, task, tuple(tried))


def planned_work(task: TaskName, settings: ArchitecturesSettings) -> int:
    """Sequence steps of all trainings of one architecture, if it learns every length at the last moment."""
    return sum(_work(task, length, settings) for length in settings.lengths(task))


def _work(task: TaskName, length: int, settings: ArchitecturesSettings) -> int:
    networks = len(settings.learning_rates) * settings.repeats
    return TASKS[task].steps(length) * settings.updates * networks


def _try(
    architecture: ArchitectureName,
    task: TaskName,
    length: int,
    settings: ArchitecturesSettings,
    watch: Callable[[int], None],
) -> tuple[Trial, ...]:
    """Train all networks of one length side by side."""
    schedule = Schedule(
        parameters=settings.parameters,
        batch_size=settings.batch_size,
        updates=settings.updates,
        clip_norm=settings.clip_norm,
        window=settings.window,
        until=settings.learned_below,
    )
    members = [
        Member(settings.seed + repeat, rate) for rate in settings.learning_rates for repeat in range(settings.repeats)
    ]
    traces = train(ARCHITECTURES[architecture], TASKS[task], length, members, schedule, watch)
    limit = settings.learned_below * TASKS[task].baseline
    return tuple(
        Trial(
            length,
            rate,
            tuple(
                _updates_needed(trace, settings.window, limit) for trace in traces if trace.member.learning_rate == rate
            ),
        )
        for rate in settings.learning_rates
    )


def _updates_needed(trace: Trace, window: int, limit: float) -> float:
    """Updates after which the error averaged over the last `window` is below `limit`; infinite for never."""
    if len(trace.errors) < window:
        return math.inf
    below = (trace.smoothed(window) < limit).nonzero()[0]
    return float(below[0] + window) if below.size else math.inf
