"""What architectures can be told, and its two presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ostinato_models.errors import ConfigurationError
from ostinato_models.lab.experiment import Settings
from ostinato_models.lab.synthetic.tasks import TaskName
from ostinato_models.networks.configuration import require_positive
from ostinato_models.presets import PresetName


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchitecturesSettings(Settings):
    """Sizes and ranges of the experiment.

    Attributes:
        parameters: about how many a network has that is tried for its range.
        batch_size: sequences an update, B.
        updates: in which a network has to learn.
        window: updates over which the error is averaged.
        learned_below: share of the baseline's error that the average has to fall below.
        clip_norm: the longest gradient let through.
        learning_rates: tried at every length; the best one counts.
        repeats: networks drawn for every learning rate.
        adding_lengths: lengths of the adding problem in steps, tried from the shortest until one is not learned.
        copy_lengths: delays of the copy task in steps, likewise.
        cost_parameters: about how many a network has whose cost is measured.
        cost_batch_size: sequences in an update whose cost is measured.
        cost_lengths: lengths in steps at which costs are measured.
        cost_repeats: updates timed for each.
    """

    parameters: int
    batch_size: int
    updates: int
    window: int
    learned_below: float
    clip_norm: float
    learning_rates: tuple[float, ...]
    repeats: int
    adding_lengths: tuple[int, ...]
    copy_lengths: tuple[int, ...]
    cost_parameters: int
    cost_batch_size: int
    cost_lengths: tuple[int, ...]
    cost_repeats: int

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            ConfigurationError: a size is outside its domain.
        """
        require_positive(
            parameters=self.parameters,
            batch_size=self.batch_size,
            updates=self.updates,
            window=self.window,
            repeats=self.repeats,
            adding_lengths=min(self.adding_lengths),
            copy_lengths=min(self.copy_lengths),
            cost_parameters=self.cost_parameters,
            cost_batch_size=self.cost_batch_size,
            cost_lengths=min(self.cost_lengths),
            cost_repeats=self.cost_repeats,
        )
        if self.window > self.updates:
            raise ConfigurationError("window", self.window, f"at most the {self.updates} updates")

    def lengths(self, task: TaskName) -> tuple[int, ...]:
        """Those of `task`, from the shortest."""
        return tuple(sorted(self.adding_lengths if task == "adding" else self.copy_lengths))


PRESETS: Mapping[PresetName, ArchitecturesSettings] = MappingProxyType(
    {
        "quick": ArchitecturesSettings(
            parameters=1000,
            batch_size=32,
            updates=250,
            window=25,
            learned_below=0.5,
            clip_norm=1.0,
            learning_rates=(0.01, 0.03),
            repeats=2,
            adding_lengths=(5, 10, 20, 40),
            copy_lengths=(4, 8, 16, 32),
            cost_parameters=16_000,
            cost_batch_size=16,
            cost_lengths=(16, 64),
            cost_repeats=3,
        ),
        "full": ArchitecturesSettings(
            parameters=2000,
            batch_size=32,
            updates=1000,
            window=25,
            learned_below=0.5,
            clip_norm=1.0,
            learning_rates=(0.003, 0.01, 0.03),
            repeats=3,
            adding_lengths=(10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 320),
            copy_lengths=(4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192),
            cost_parameters=250_000,
            cost_batch_size=32,
            cost_lengths=(16, 32, 64, 128, 256),
            cost_repeats=9,
        ),
    }
)
