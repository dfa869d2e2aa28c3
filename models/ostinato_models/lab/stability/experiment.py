"""stability, put together: settings to result, result to report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ostinato_models.lab.experiment import Context, Experiment, Watch
from ostinato_models.lab.report import Cell, Plot, Report, Table
from ostinato_models.lab.stability.figures import HIGHEST_ERROR, draw_errors, draw_outcomes, draw_spikes
from ostinato_models.lab.stability.findings import findings, stable_limit
from ostinato_models.lab.stability.settings import PRESETS, StabilitySettings
from ostinato_models.lab.stability.trainings import Training, measure, planned_work, select
from ostinato_models.lab.synthetic.architectures import ARCHITECTURES
from ostinato_models.lab.synthetic.training import flushed_denormals
from ostinato_models.lab.threads import one_thread


@dataclass(frozen=True, slots=True)
class StabilityResult:
    """Everything measured.

    Attributes:
        settings: what was asked.
        trainings: of every architecture at every length and learning rate.
    """

    settings: StabilitySettings
    trainings: tuple[Training, ...]


def run(settings: StabilitySettings, context: Context) -> StabilityResult:
    """Train everywhere."""
    total = len(ARCHITECTURES) * sum(planned_work(settings, length) for length in settings.lengths)
    done = 0
    trainings: list[Training] = []
    with one_thread(), flushed_denormals():
        for length in settings.lengths:
            for name in ARCHITECTURES:
                trainings += measure(settings, name, length, _continued(context.watch, done, total))
                done += planned_work(settings, length)
    return StabilityResult(settings, tuple(trainings))


def report(result: StabilityResult) -> Report:
    """Say what was measured."""
    settings, trainings = result.settings, result.trainings
    return Report(
        title="Training stability",
        question="At which sequence lengths and learning rates do RNN, LSTM, GRU and BiLSTM train stably?",
        findings=findings(settings, trainings),
        method=_method(settings),
        plots=(
            Plot(
                "outcomes",
                draw_outcomes(trainings, settings),
                "How many trainings have learned / stalled / gone unstable in each cell. Blue: all have learned. "
                "Orange: all are unstable. Grey: all have stalled, or as many are unstable as have learned.",
            ),
            Plot(
                "errors",
                draw_errors(trainings, settings),
                "Dots are trainings, lines their medians. On the grey line a network does as well as one that does not "
                f"look. What broke or ends above {HIGHEST_ERROR:g} is drawn at {HIGHEST_ERROR:g}.",
            ),
            Plot(
                "spikes",
                draw_spikes(trainings, settings),
                f"How far the largest gradient norm after the first {settings.window} updates exceeds the median one. "
                "Dots are trainings, lines their medians.",
            ),
        ),
        tables=(_cells_table(result), _trainings_table(result)),
    )


EXPERIMENT = Experiment(presets=PRESETS, run=run, report=report)


def _continued(watch: Watch, before: int, total: int) -> Callable[[int], None]:
    """Count on from the work done `before`."""
    return lambda done: watch(before + done, total)


def _method(settings: StabilitySettings) -> str:
    return (
        "Each network is one layer of this project's recurrence and a linear readout, its hidden size the one whose "
        "count of parameters comes nearest to the budget. It learns the adding problem (Hochreiter & Schmidhuber, "
        "1997): numbers in [0, 1], one marked in either half of the sequence, and their sum asked for at the end; a "
        "blind answer has a mean squared error of 1/6. Adam makes every update, nothing is clipped, and every update "
        f"reads {settings.batch_size} new sequences. The {settings.repeats} networks of a cell start from the same "
        "weights and read the same sequences at every learning rate.\n\n"
        f"Errors are averaged over {settings.window} updates and told as multiples of the blind answer's. A training "
        "is *unstable* when its error or gradient stops being a number, when the average rises by more than "
        f"{settings.rise:g} above the lowest before it, or when it ends above {1 + settings.rise:g}. A stable one has "
        f"*learned* when it ends below {settings.learned_below:g}, and has *stalled* otherwise: more updates might "
        "help it. A network whose units are saturated by a high learning rate stalls too: it answers "
        "blindly, and steadily."
    )


def _cells_table(result: StabilityResult) -> Table:
    settings = result.settings
    rows: list[tuple[Cell, ...]] = []
    for name, architecture in ARCHITECTURES.items():
        for length in settings.lengths:
            found = [training.outcome for training in select(result.trainings, name, length=length)]
            limit = stable_limit(settings, result.trainings, name, length)
            counts = (found.count("learned"), found.count("stalled"), found.count("unstable"))
            rows.append((architecture.label, length, *counts, "none" if limit is None else f"{limit:g}"))
    columns = (
        "architecture",
        "length (steps)",
        "learned",
        "stalled",
        "unstable",
        "highest learning rate up to which none is unstable",
    )
    return Table("summary", columns, tuple(rows), shown=True, caption="Trainings at all learning rates:")


def _trainings_table(result: StabilityResult) -> Table:
    columns = (
        "architecture",
        "length (steps)",
        "learning rate",
        "seed",
        "outcome",
        "final error / blind",
        "largest rise of the error / blind",
        "largest gradient norm / median",
    )
    rows: list[tuple[Cell, ...]] = [
        (each.architecture, each.length, each.learning_rate, each.seed, each.outcome, each.final, each.rise, each.spike)
        for each in result.trainings
    ]
    return Table("trainings", columns, tuple(rows))
