"""What architectures found, said in sentences whose words follow from the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from ostinato_models.lab.architectures.costs import MIB, Cost
from ostinato_models.lab.architectures.ranges import Range
from ostinato_models.lab.architectures.settings import ArchitecturesSettings
from ostinato_models.lab.synthetic.architectures import ARCHITECTURES
from ostinato_models.lab.synthetic.tasks import TaskName


def findings(settings: ArchitecturesSettings, ranges: Sequence[Range], costs: Sequence[Cost]) -> tuple[str, str, str]:
    """Three sentences: how far each learns to look, how fast it trains, what it holds meanwhile."""
    return say_ranges(settings, ranges), say_speed(settings, costs), say_memory(settings, costs)


def say_ranges(settings: ArchitecturesSettings, ranges: Sequence[Range]) -> str:
    """Where each architecture stops on each task, the furthest first."""
    adding, copy = (_say_stops([each for each in ranges if each.task == task]) for task in _TASKS)
    return (
        f"With about {settings.parameters:,} parameters and at most {settings.updates:,} updates, at least half of the "
        f"networks learn the adding problem up to a length of {adding}, and the copy task up to a delay of {copy}."
    )


def say_speed(settings: ArchitecturesSettings, costs: Sequence[Cost]) -> str:
    """Steps per second at the longest length, the fastest first."""
    found = sorted(_longest(costs), key=lambda cost: cost.steps_per_second, reverse=True)
    speeds = ", ".join(f"{cost.steps_per_second:,.0f} ({_label(cost)})" for cost in found)
    ratio = found[0].steps_per_second / found[-1].steps_per_second
    return (
        f"With about {settings.cost_parameters:,} parameters on sequences of {found[0].length} steps, one thread "
        f"trains so many steps a second: {speeds}; the fastest, the {_label(found[0])}, is {ratio:.1f} times as "
        f"fast as the slowest, the {_label(found[-1])}."
    )


def say_memory(settings: ArchitecturesSettings, costs: Sequence[Cost]) -> str:
    """Bytes held at the longest length, the fewest first."""
    found = sorted(_longest(costs), key=lambda cost: cost.activation_bytes)
    held = ", ".join(f"{cost.activation_bytes / MIB:.1f} MiB ({_label(cost)})" for cost in found)
    ratio = found[-1].activation_bytes / found[0].activation_bytes
    most = max(cost.state_bytes for cost in found)
    return (
        f"For the backward pass of such an update, of {settings.cost_batch_size} sequences, are held "
        f"{held}, the most being {ratio:.1f} times the least, while parameters, gradients and Adam's averages are at "
        f"most {most / MIB:.1f} MiB in each."
    )


_TASKS: tuple[TaskName, TaskName] = ("adding", "copy")


def _say_stops(ranges: Sequence[Range]) -> str:
    ordered = sorted(ranges, key=lambda each: each.longest or 0, reverse=True)
    return ", ".join(_say_stop(each) for each in ordered)


def _say_stop(each: Range) -> str:
    label = ARCHITECTURES[each.architecture].label
    if each.longest is None:
        return f"none at all ({label}, not even {each.stops})"
    if each.stops is None:
        return f"{each.longest} ({label}, the longest tried)"
    return f"{each.longest} ({label}, not {each.stops})"


def _longest(costs: Sequence[Cost]) -> list[Cost]:
    longest = max(cost.length for cost in costs)
    return [cost for cost in costs if cost.length == longest]


def _label(cost: Cost) -> str:
    return ARCHITECTURES[cost.architecture].label
