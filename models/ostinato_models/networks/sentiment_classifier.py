"""The sentiment classifier: embedding, recurrent stack, pooling, two classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from ostinato_models.networks.attention import source_mask
from ostinato_models.networks.cells import CellName
from ostinato_models.networks.configuration import (
    ModelConfig,
    require_one_of,
    require_positive,
    require_probability,
)
from ostinato_models.networks.recurrent import Recurrent

Pooling: TypeAlias = Literal["last", "mean", "max"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentimentClassifierConfig(ModelConfig):
    """Sizes of a `SentimentClassifier`."""

    cell: CellName = "lstm"
    embedding_size: int = 200
    hidden_size: int = 200
    num_layers: int = 1
    bidirectional: bool = True
    pooling: Pooling = "last"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Check every field."""
        require_one_of("cell", self.cell, ("rnn", "lstm", "gru"))
        require_one_of("pooling", self.pooling, ("last", "mean", "max"))
        require_positive(
            vocabulary_size=self.vocabulary_size,
            embedding_size=self.embedding_size,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
        )
        require_probability(dropout=self.dropout)


class SentimentClassifier(nn.Module):
    """Reads a text and scores it as negative (index 0) or positive (index 1)."""

    def __init__(self, config: SentimentClassifierConfig) -> None:
        """Build the network that `config` describes, with fresh weights."""
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary_size, config.embedding_size)
        # Small at first, so that a word seen rarely stays close to saying nothing.
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.recurrent = Recurrent(
            config.cell,
            config.embedding_size,
            config.hidden_size,
            config.num_layers,
            bidirectional=config.bidirectional,
            dropout=config.dropout,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.hidden_size * self.recurrent.num_directions, 2)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Score every text; what lies after a text's length has no influence on its result.

        Args:
            tokens: token ids, int64 (B, T).
            lengths: valid tokens of every row, int64 (B,), each in 1…T.

        Returns:
            Logits (B, 2): negative, positive.
        """
        embedded = self.dropout(self.embedding(tokens))  # (B, T, E)
        outputs, state = self.recurrent(embedded, None, lengths)  # (B, T, D*H)
        if self.config.pooling == "last":
            # Each direction's state after its own last token, top layer: (B, D, H) -> (B, D*H).
            pooled = state[0][:, -self.recurrent.num_directions :].flatten(1)
        else:
            pooled = pool(outputs, lengths, self.config.pooling)
        return self.output(self.dropout(pooled))  # type: ignore[no-any-return]


def pool(outputs: Tensor, lengths: Tensor, pooling: Literal["mean", "max"]) -> Tensor:
    """Reduce outputs (B, T, F) over every row's valid steps to (B, F)."""
    valid = source_mask(lengths.to(outputs.device), outputs.shape[1]).unsqueeze(-1)  # (B, T, 1)
    if pooling == "max":
        return outputs.masked_fill(~valid, float("-inf")).amax(dim=1)
    return torch.where(valid, outputs, 0.0).sum(dim=1) / valid.sum(dim=1)
