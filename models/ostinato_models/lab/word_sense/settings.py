"""What word-sense can be told, and its two presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ostinato_models.lab.experiment import Settings
from ostinato_models.networks.configuration import require_positive
from ostinato_models.presets import PresetName


@dataclass(frozen=True, slots=True, kw_only=True)
class WordSenseSettings(Settings):
    """Sizes of the experiment.

    Attributes:
        corpus: data set whose English sentences the encoders read too; empty for none.
        sentences: how many of them, the shortest and longest left out.
        generated: sentences made by the grammar of themes.
        vocabulary_size: most frequent words that are told apart, V.
        embedding_size: features of a word, E.
        state_size: features of what an encoder knows at a word, H; half of them a direction for the encoder that reads
            both ways.
        batch_size: sentences in an update.
        epochs: passes over the sentences.
        learning_rate: peak of the schedule.
        repeats: encoders of each kind, differing in weights and order of the sentences.
    """

    corpus: str
    sentences: int
    generated: int
    vocabulary_size: int
    embedding_size: int
    state_size: int
    batch_size: int
    epochs: int
    learning_rate: float
    repeats: int

    def __post_init__(self) -> None:
        """Check the sizes."""
        require_positive(
            generated=self.generated,
            vocabulary_size=self.vocabulary_size,
            embedding_size=self.embedding_size,
            state_size=self.state_size // 2,
            batch_size=self.batch_size,
            epochs=self.epochs,
            repeats=self.repeats,
        )


PRESETS: Mapping[PresetName, WordSenseSettings] = MappingProxyType(
    {
        "quick": WordSenseSettings(
            corpus="",
            sentences=0,
            generated=6000,
            vocabulary_size=400,
            embedding_size=32,
            state_size=128,
            batch_size=8,  # many small updates: themes are found suddenly, after a number of them
            epochs=4,
            learning_rate=1e-2,
            repeats=1,
        ),
        "full": WordSenseSettings(
            corpus="tatoeba-en-fr",
            sentences=10_000,
            generated=16_000,
            vocabulary_size=1500,
            embedding_size=64,
            state_size=128,
            batch_size=16,
            epochs=3,
            learning_rate=7e-3,
            repeats=3,
        ),
    }
)
