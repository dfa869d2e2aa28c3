"""What stability can be told, and its two presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ostinato_models.errors import ConfigurationError
from ostinato_models.lab.experiment import Settings
from ostinato_models.networks.configuration import require_positive
from ostinato_models.presets import PresetName


@dataclass(frozen=True, slots=True, kw_only=True)
class StabilitySettings(Settings):
    """Sizes and ranges of the experiment.

    Attributes:
        parameters: about how many each network has.
        batch_size: sequences an update, B.
        updates: of every training.
        window: updates over which the error is averaged.
        learned_below: share of the blind answer's error below which a network has learned.
        rise: share of the blind answer's error by which the average may rise above its lowest so far.
        repeats: networks drawn for every learning rate.
        learning_rates: Adam's.
        lengths: of the adding problem, in steps.
    """

    parameters: int
    batch_size: int
    updates: int
    window: int
    learned_below: float
    rise: float
    repeats: int
    learning_rates: tuple[float, ...]
    lengths: tuple[int, ...]

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
            lengths=min(self.lengths),
        )
        if 2 * self.window >= self.updates:
            raise ConfigurationError("window", self.window, f"less than half of the {self.updates} updates")


PRESETS: Mapping[PresetName, StabilitySettings] = MappingProxyType(
    {
        "quick": StabilitySettings(
            parameters=1000,
            batch_size=32,
            updates=250,
            window=25,
            learned_below=0.5,
            rise=0.5,
            repeats=2,
            learning_rates=(0.003, 0.03, 0.3),
            lengths=(8, 32),
        ),
        "full": StabilitySettings(
            parameters=2000,
            batch_size=32,
            updates=750,
            window=25,
            learned_below=0.5,
            rise=0.5,
            repeats=5,
            learning_rates=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
            lengths=(10, 30, 90),
        ),
    }
)
