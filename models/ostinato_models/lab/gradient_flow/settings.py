"""What gradient-flow can be told, and its two presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ostinato_models.lab.experiment import Settings
from ostinato_models.networks.configuration import require_positive
from ostinato_models.presets import PresetName


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientFlowSettings(Settings):
    """Sizes and ranges of the experiment.

    Attributes:
        hidden_size: features of the state, H.
        embedding_size: features of a character, E.
        batch_size: texts measured together, B.
        repeats: networks drawn for every case.
        radii: spectral radii of the recurrent matrices.
        lengths: sequence lengths in characters.
        clip_norm: the largest norm that clipping lets through.
        clip_radius: spectral radius of the network trained with and without clipping.
        clip_length: characters in its sequences.
        clip_updates: updates it is given.
        clip_learning_rate: of plain gradient descent, where a step is as long as its gradient.
    """

    hidden_size: int
    embedding_size: int
    batch_size: int
    repeats: int
    radii: tuple[float, ...]
    lengths: tuple[int, ...]
    clip_norm: float
    clip_radius: float
    clip_length: int
    clip_updates: int
    clip_learning_rate: float

    def __post_init__(self) -> None:
        """Check the sizes."""
        require_positive(
            hidden_size=self.hidden_size,
            embedding_size=self.embedding_size,
            batch_size=self.batch_size,
            repeats=self.repeats,
            lengths=min(self.lengths),
            clip_length=self.clip_length,
            clip_updates=self.clip_updates,
        )

    @property
    def longest(self) -> int:
        """The longest sequence."""
        return max(self.lengths)


PRESETS: Mapping[PresetName, GradientFlowSettings] = MappingProxyType(
    {
        "quick": GradientFlowSettings(
            hidden_size=32,
            embedding_size=16,
            batch_size=4,
            repeats=2,
            radii=(0.5, 1.0, 1.5, 2.0),
            lengths=(8, 32, 64),
            clip_norm=1.0,
            clip_radius=1.2,
            clip_length=64,
            clip_updates=60,
            clip_learning_rate=0.1,
        ),
        "full": GradientFlowSettings(
            hidden_size=128,
            embedding_size=32,
            batch_size=16,
            repeats=5,
            radii=(0.5, 0.8, 1.0, 1.2, 1.5, 2.0),
            lengths=(8, 16, 32, 64, 128),
            clip_norm=1.0,
            clip_radius=1.2,
            clip_length=64,
            clip_updates=400,
            clip_learning_rate=0.1,
        ),
    }
)
