"""The encoder-decoder for translation, with attention and without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ostinato_models.networks.attention import AttentionName, make_attention, source_mask
from ostinato_models.networks.cells import State
from ostinato_models.networks.configuration import (
    ModelConfig,
    require_one_of,
    require_positive,
    require_probability,
)
from ostinato_models.networks.recurrent import Recurrent


@dataclass(frozen=True, slots=True, kw_only=True)
class Seq2SeqConfig(ModelConfig):
    """Sizes of a `Seq2Seq`; `attention` None leaves the start state as the only link."""

    embedding_size: int = 256
    encoder_size: int = 256
    decoder_size: int = 512
    num_layers: int = 1
    attention: AttentionName | None = "general"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Check every field."""
        require_positive(
            vocabulary_size=self.vocabulary_size,
            embedding_size=self.embedding_size,
            encoder_size=self.encoder_size,
            decoder_size=self.decoder_size,
            num_layers=self.num_layers,
        )
        require_probability(dropout=self.dropout)
        if self.attention is not None:
            require_one_of("attention", self.attention, ("additive", "general", "dot"))


class Memory(NamedTuple):
    """What the decoder may look at: the encoder's outputs, their keys, and where they exist."""

    values: Tensor  # (B, S, 2*He)
    keys: Tensor  # (B, S, Hd) for the general score
    mask: Tensor  # (B, S), true where a source token is


class Seq2Seq(nn.Module):
    """Bidirectional LSTM encoder, LSTM decoder, Luong attention (2015) without input feeding.

    The decoder reads target embeddings only, so teacher forcing runs a whole target in one call.
    The attentional vector ``h~ = tanh(W_c [c_t; s_t])`` (equation 5) has the embedding's width
    and is scored against the shared embedding table (Press & Wolf, 2017).
    """

    def __init__(self, config: Seq2SeqConfig) -> None:
        """Build the network that `config` describes, with fresh weights."""
        super().__init__()
        self.config = config
        memory_size = 2 * config.encoder_size
        self.embedding = nn.Embedding(config.vocabulary_size, config.embedding_size)
        # Large enough that the encoder's outputs differ and attention has something to learn from
        # (at 0.1 it had learnt nothing after 300 updates), small enough for an output layer.
        nn.init.normal_(self.embedding.weight, std=0.3)
        self.encoder = Recurrent(
            "lstm",
            config.embedding_size,
            config.encoder_size,
            config.num_layers,
            bidirectional=True,
            dropout=config.dropout,
        )
        self.bridge_hidden = nn.Linear(memory_size, config.decoder_size)
        self.bridge_cell = nn.Linear(memory_size, config.decoder_size)
        self.decoder = Recurrent(
            "lstm",
            config.embedding_size,
            config.decoder_size,
            config.num_layers,
            dropout=config.dropout,
        )
        self.attention = (
            None if config.attention is None else make_attention(config.attention, config.decoder_size, memory_size)
        )
        joint = config.decoder_size + (0 if config.attention is None else memory_size)
        self.combine = nn.Linear(joint, config.embedding_size)
        self.output_bias = nn.Parameter(torch.zeros(config.vocabulary_size))
        self.dropout = nn.Dropout(config.dropout)

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Memory, State]:
        """Read the sources.

        Args:
            source: token ids, int64 (B, S).
            lengths: tokens of every source, int64 (B,), each in 1…S.

        Returns:
            The memory to attend to, and the decoder's start state, each tensor (B, L, Hd).
        """
        embedded = self.dropout(self.embedding(source))
        values, (hidden, cell) = self.encoder(embedded, None, lengths)
        keys = values if self.attention is None else self.attention.keys(values)
        batch, layers = source.shape[0], self.config.num_layers
        # A layer's two directions side by side start the decoder's layer of the same number.
        start = (
            torch.tanh(self.bridge_hidden(hidden.reshape(batch, layers, -1))),
            self.bridge_cell(cell.reshape(batch, layers, -1)),
        )
        return Memory(values, keys, source_mask(lengths.to(source.device), source.shape[1])), start

    def decode(self, tokens: Tensor, memory: Memory, state: State) -> tuple[Tensor, Tensor | None, State]:
        """Continue the targets from `state`; any number of tokens at once.

        Args:
            tokens: the tokens that came before each prediction, int64 (B, T).
            memory: what `encode` returned, B rows.
            state: the decoder's state, each tensor (B, L, Hd).

        Returns:
            Logits (B, T, V), attention weights (B, T, S) or None, and the state after the tokens.
        """
        outputs, state = self.decoder(self.dropout(self.embedding(tokens)), state)  # (B, T, Hd)
        outputs = self.dropout(outputs)
        weights: Tensor | None = None
        if self.attention is not None:
            context, weights = self.attention(outputs, memory.values, memory.mask, memory.keys)
            outputs = torch.cat((context, outputs), dim=-1)  # (B, T, 2*He + Hd)
        attentional = self.dropout(torch.tanh(self.combine(outputs)))  # (B, T, E)
        return linear(attentional, self.embedding.weight, self.output_bias), weights, state

    def forward(self, source: Tensor, lengths: Tensor, tokens: Tensor) -> Tensor:
        """Teacher forcing: logits (B, T, V) for the token after each of `tokens` (B, T)."""
        memory, state = self.encode(source, lengths)
        logits, _, _ = self.decode(tokens, memory, state)
        return logits
