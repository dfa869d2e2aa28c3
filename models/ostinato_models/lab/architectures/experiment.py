"""architectures, put together: settings to result, result to report."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ostinato_models.lab.architectures.costs import MIB, Cost, measure_costs
from ostinato_models.lab.architectures.figures import draw_costs, draw_ranges
from ostinato_models.lab.architectures.findings import findings
from ostinato_models.lab.architectures.ranges import Range, measure_range, planned_work
from ostinato_models.lab.architectures.settings import PRESETS, ArchitecturesSettings
from ostinato_models.lab.experiment import Context, Experiment, Watch
from ostinato_models.lab.report import Cell, Plot, Report, Table
from ostinato_models.lab.synthetic.architectures import ARCHITECTURES
from ostinato_models.lab.synthetic.tasks import TASKS, CopyTask
from ostinato_models.lab.synthetic.training import flushed_denormals
from ostinato_models.lab.threads import one_thread


@dataclass(frozen=True, slots=True)
class ArchitecturesResult:
    """Everything measured.

    Attributes:
        settings: what was asked.
        ranges: of every architecture on every task.
        costs: of every architecture at every length.
    """

    settings: ArchitecturesSettings
    ranges: tuple[Range, ...]
    costs: tuple[Cost, ...]


def run(settings: ArchitecturesSettings, context: Context) -> ArchitecturesResult:
    """Measure costs, then train at growing lengths."""
    measured = len(ARCHITECTURES) * len(settings.cost_lengths)
    total = measured + len(ARCHITECTURES) * sum(planned_work(task, settings) for task in TASKS)
    ranges: list[Range] = []
    with one_thread(), flushed_denormals():
        costs = measure_costs(settings, lambda count: context.watch(count, total))
        done = measured
        for task in TASKS:
            for name in ARCHITECTURES:
                ranges.append(measure_range(name, task, settings, _continued(context.watch, done, total)))
                done += planned_work(task, settings)
    return ArchitecturesResult(settings, tuple(ranges), costs)


def report(result: ArchitecturesResult) -> Report:
    """Say what was measured."""
    settings = result.settings
    return Report(
        title="Architectures",
        question="What do RNN, LSTM, GRU and BiLSTM of equal size cost, and how far back do they learn to look?",
        findings=findings(settings, result.ranges, result.costs),
        method=_method(settings),
        plots=(
            Plot(
                "ranges",
                draw_ranges(result.ranges, settings),
                f"Lower is learned sooner. The grey line is at {settings.updates:,} updates, the most there are. A "
                "cross above it marks the length at which an architecture stops learning; those at one length stand "
                "side by side.",
            ),
            Plot(
                "costs",
                draw_costs(result.costs, settings),
                f"One update of about {settings.cost_parameters:,} parameters on {settings.cost_batch_size} sequences. "
                "Dotted: what is held between updates, whatever the length.",
            ),
        ),
        tables=(_summary_table(result), _trials_table(result), _costs_table(result)),
    )


EXPERIMENT = Experiment(presets=PRESETS, run=run, report=report)


def _continued(watch: Watch, before: int, total: int) -> Callable[[int], None]:
    """Count on from the work done `before`."""
    return lambda done: watch(before + done, total)


def _method(settings: ArchitecturesSettings) -> str:
    rates = ", ".join(f"{rate:g}" for rate in settings.learning_rates)
    return (
        "Each network is one layer of this project's recurrence and a linear readout. Its hidden size is the one whose "
        "count of parameters comes nearest to the budget, so that an LSTM has fewer features than an RNN, and each "
        "direction of a BiLSTM fewer than an LSTM. Weights start as the project's do, the LSTM's forget bias at 1.\n\n"
        "**Dependency range.** The adding problem (Hochreiter & Schmidhuber, 1997): numbers in [0, 1], one marked in "
        "either half, and their sum asked for at the end; a blind answer has a mean squared error of 1/6. The copy "
        f"task: {CopyTask.answers} symbols out of {CopyTask.symbols}, each asked for again a delay after it was shown; "
        f"a blind answer costs ln {CopyTask.symbols} nats. Networks train with Adam, their gradient clipped at norm "
        f"{settings.clip_norm:g}, on {settings.batch_size} new sequences an update. One has learned when its error, "
        f"averaged over {settings.window} updates, falls below {settings.learned_below:g} of the blind answer's within "
        f"{settings.updates:,} updates. {settings.repeats} networks are drawn for each of the learning rates {rates}. "
        "An architecture learns a length when at least half of them do at one of the rates, and stops at the first "
        "length that it does not learn. Longer ones are not tried. More updates or other learning rates "
        "could move every limit.\n\n"
        "**Speed.** One update (forward, backward, Adam) of the adding problem on one thread with the fused kernel, as "
        f"training uses it: the median of {settings.cost_repeats} after one to warm up, in the thread's own processor "
        "time. A step is one of one sequence. Both directions of a BiLSTM count as one step. On a CPU torch runs an "
        "LSTM over all steps in one call (oneDNN), an RNN and a GRU step by step: the order is that of these kernels, "
        "not of the arithmetic alone.\n\n"
        "**Memory.** The bytes of all tensors that autograd saves between the forward and the backward pass, each "
        "storage once and the parameters not counted; beside them four fp32 numbers a parameter: itself, its gradient "
        "and Adam's two averages. What a kernel takes and gives back within one call is not in it."
    )


def _summary_table(result: ArchitecturesResult) -> Table:
    columns = (
        "architecture",
        "hidden size",
        "parameters",
        "adding: learns (steps)",
        "adding: stops at (steps)",
        "copy: learns (steps)",
        "copy: stops at (steps)",
        "hidden size, cost",
        "parameters, cost",
        "speed (steps/s)",
        "held for backward (MiB)",
    )
    settings = result.settings
    longest = max(settings.cost_lengths)
    rows: list[tuple[Cell, ...]] = []
    for name, architecture in ARCHITECTURES.items():
        sizes = [
            architecture.hidden_size(task.inputs, task.outputs, settings.parameters)
            for task in (TASKS["adding"], TASKS["copy"])
        ]
        counts = [
            architecture.parameters(task.inputs, size, task.outputs)
            for task, size in zip((TASKS["adding"], TASKS["copy"]), sizes, strict=True)
        ]
        ends: list[Cell] = []
        for task_name in ("adding", "copy"):
            (found,) = (each for each in result.ranges if (each.architecture, each.task) == (name, task_name))
            ends += ["" if end is None else str(end) for end in (found.longest, found.stops)]
        (cost,) = (each for each in result.costs if (each.architecture, each.length) == (name, longest))
        rows.append(
            (
                architecture.label,
                " / ".join(map(str, sizes)),
                " / ".join(map(str, counts)),
                *ends,
                cost.hidden_size,
                cost.parameters,
                round(cost.steps_per_second),
                cost.activation_bytes / MIB,
            )
        )
    return Table(
        "summary",
        columns,
        tuple(rows),
        shown=True,
        caption=f"Two sizes are those for adding / copy. Costs at {longest} steps:",
    )


def _trials_table(result: ArchitecturesResult) -> Table:
    columns = (
        "task",
        "architecture",
        "length (steps)",
        "learning rate",
        "networks",
        "learned",
        "updates until half have learned",
    )
    rows: list[tuple[Cell, ...]] = [
        (
            each.task,
            each.architecture,
            trial.length,
            trial.learning_rate,
            len(trial.updates),
            trial.learned,
            int(trial.needed) if math.isfinite(trial.needed) else "",
        )
        for each in result.ranges
        for trials in each.trials
        for trial in trials
    ]
    return Table("ranges", columns, tuple(rows))


def _costs_table(result: ArchitecturesResult) -> Table:
    columns = (
        "architecture",
        "hidden size",
        "parameters",
        "length (steps)",
        "speed (steps/s)",
        "held for backward (bytes)",
        "parameters, gradients, Adam (bytes)",
    )
    rows: list[tuple[Cell, ...]] = [
        (
            cost.architecture,
            cost.hidden_size,
            cost.parameters,
            cost.length,
            round(cost.steps_per_second),
            cost.activation_bytes,
            cost.state_bytes,
        )
        for cost in result.costs
    ]
    return Table("costs", columns, tuple(rows))
