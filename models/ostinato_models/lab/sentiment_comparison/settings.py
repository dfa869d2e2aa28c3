"""What sentiment-comparison can be told, and its two presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from ostinato_models.errors import ConfigurationError
from ostinato_models.lab.experiment import Settings
from ostinato_models.networks.configuration import require_positive
from ostinato_models.presets import PresetName

CorpusName: TypeAlias = Literal["generated-sentiment", "sst2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentimentComparisonSettings(Settings):
    """Sizes of the networks and how they are trained and timed; all five models get the same texts.

    Attributes:
        corpus: the grammar's opinions, which need no data, or SST-2.
        train_share: share of the training texts that a repeat draws, in (0, 1].
        repeats: trainings of every model, each from a seed of its own; at least 2, for an interval.
        vocabulary_size: tokens of the networks at most.
        embedding_size: features of a token, E.
        hidden_size: features of the state, H, in each direction.
        dropout: on embeddings and on the pooled state.
        epochs: passes over the drawn texts.
        batch_size: texts of an update at most.
        learning_rate: the highest.
        latency_rounds: times that every test text is served; the fastest counts.
    """

    corpus: CorpusName
    train_share: float
    repeats: int
    vocabulary_size: int
    embedding_size: int
    hidden_size: int
    dropout: float
    epochs: int
    batch_size: int
    learning_rate: float
    latency_rounds: int

    def __post_init__(self) -> None:
        """Check what the networks' own configurations do not.

        Raises:
            ConfigurationError: a value is outside its domain.
        """
        require_positive(epochs=self.epochs, batch_size=self.batch_size, latency_rounds=self.latency_rounds)
        if self.repeats < 2:
            raise ConfigurationError("repeats", self.repeats, "at least 2")
        if not 0.0 < self.train_share <= 1.0:
            raise ConfigurationError("train_share", self.train_share, "in (0, 1]")


PRESETS: Mapping[PresetName, SentimentComparisonSettings] = MappingProxyType(
    {
        "quick": SentimentComparisonSettings(
            corpus="generated-sentiment",
            train_share=0.5,
            repeats=2,
            vocabulary_size=400,
            embedding_size=32,
            hidden_size=32,
            dropout=0.1,
            epochs=6,
            batch_size=32,
            learning_rate=1e-2,
            latency_rounds=3,
        ),
        "full": SentimentComparisonSettings(
            corpus="sst2",
            train_share=1 / 3,
            repeats=3,
            vocabulary_size=8000,
            embedding_size=100,
            hidden_size=100,
            dropout=0.3,
            epochs=2,
            batch_size=64,
            learning_rate=3e-3,
            latency_rounds=5,
        ),
    }
)
