"""The character language model: embedding, recurrent stack, projection to the next character."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ostinato_models.networks.cells import CellName, State
from ostinato_models.networks.configuration import (
    ModelConfig,
    require_one_of,
    require_positive,
    require_probability,
)
from ostinato_models.networks.recurrent import Recurrent


@dataclass(frozen=True, slots=True, kw_only=True)
class CharLanguageModelConfig(ModelConfig):
    """Sizes of a `CharLanguageModel`."""

    cell: CellName = "lstm"
    embedding_size: int = 128
    hidden_size: int = 512
    num_layers: int = 2
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Check every field."""
        require_one_of("cell", self.cell, ("rnn", "lstm", "gru"))
        require_positive(
            vocabulary_size=self.vocabulary_size,
            embedding_size=self.embedding_size,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
        )
        require_probability(dropout=self.dropout)


class CharLanguageModel(nn.Module):
    """Predicts every next character from the characters before it (Graves, 2013)."""

    def __init__(self, config: CharLanguageModelConfig) -> None:
        """Build the network that `config` describes, with fresh weights."""
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary_size, config.embedding_size)
        self.recurrent = Recurrent(
            config.cell,
            config.embedding_size,
            config.hidden_size,
            config.num_layers,
            dropout=config.dropout,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.hidden_size, config.vocabulary_size)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Score the character after every prefix.

        Args:
            tokens: character ids, int64 (B, T).
            state: the state after what came before, each tensor (B, L, H); zero when None.

        Returns:
            Logits (B, T, V) and the state after the last character.
        """
        embedded = self.embedding(tokens)  # (B, T, E)
        outputs, state = self.recurrent(embedded, state)  # (B, T, H)
        return self.output(self.dropout(outputs)), state
