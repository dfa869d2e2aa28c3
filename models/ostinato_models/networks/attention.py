"""Attention over an encoder's outputs: additive, general and dot-product scores.

All three share one form: a score for every (target step, source position), a softmax over the
positions that exist, and the weighted mean of the memory. Sources: Bahdanau, Cho & Bengio (2015)
for the additive score; Luong, Pham & Manning (2015), equation 8, for the general and dot scores.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn

from ostinato_models import names
from ostinato_models.errors import ConfigurationError

AttentionName: TypeAlias = names.AttentionName


def source_mask(lengths: Tensor, width: int) -> Tensor:
    """Which source positions exist.

    Args:
        lengths: tokens of every source, (B,).
        width: padded source length S.

    Returns:
        Boolean (B, S), true where a token is.
    """
    return torch.arange(width, device=lengths.device) < lengths.unsqueeze(-1)


def attend(scores: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Turn scores into weights and the weighted mean of the memory.

    Args:
        scores: (B, T, S).
        memory: (B, S, M).
        mask: (B, S), true where a source token exists; every row has at least one.

    Returns:
        Context (B, T, M) and weights (B, T, S); weights are exactly zero outside the mask and
        every row sums to one.
    """
    weights = scores.masked_fill(~mask.unsqueeze(1), float("-inf")).softmax(dim=-1)
    return weights @ memory, weights


class AdditiveAttention(nn.Module):
    """Bahdanau's score: ``v · tanh(W_s s_t + W_h h_j)``."""

    def __init__(self, query_size: int, memory_size: int, size: int | None = None) -> None:
        """Make the projections; `size` is the hidden width of the score, `query_size` by default."""
        super().__init__()
        size = query_size if size is None else size
        self.query = nn.Linear(query_size, size)
        self.memory = nn.Linear(memory_size, size, bias=False)
        self.score = nn.Linear(size, 1, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        """Project the memory (B, S, M) once per source into keys (B, S, A)."""
        return self.memory(memory)  # type: ignore[no-any-return]

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor, keys: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Attend from `query` (B, T, Q) over `memory` (B, S, M); see `attend` for the results."""
        keys = self.keys(memory) if keys is None else keys
        joint = torch.tanh(self.query(query).unsqueeze(2) + keys.unsqueeze(1))  # (B, T, S, A)
        return attend(self.score(joint).squeeze(-1), memory, mask)


class GeneralAttention(nn.Module):
    """Luong's general score: ``s_t · W_a h_j``."""

    def __init__(self, query_size: int, memory_size: int) -> None:
        """Make ``W_a``, held as `projection.weight` of shape (Q, M)."""
        super().__init__()
        self.projection = nn.Linear(memory_size, query_size, bias=False)

    def keys(self, memory: Tensor) -> Tensor:
        """Project the memory (B, S, M) once per source into keys ``W_a h_j`` (B, S, Q)."""
        return self.projection(memory)  # type: ignore[no-any-return]

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor, keys: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Attend from `query` (B, T, Q) over `memory` (B, S, M); see `attend` for the results."""
        keys = self.keys(memory) if keys is None else keys
        return attend(query @ keys.transpose(1, 2), memory, mask)


class DotAttention(nn.Module):
    """Luong's dot score: ``s_t · h_j``; both have the same width."""

    def __init__(self, query_size: int, memory_size: int) -> None:
        """Check that the two widths agree.

        Raises:
            ConfigurationError: they do not.
        """
        super().__init__()
        if query_size != memory_size:
            raise ConfigurationError("memory_size", memory_size, f"query_size ({query_size})")

    def keys(self, memory: Tensor) -> Tensor:
        """The memory itself."""
        return memory

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor, keys: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Attend from `query` (B, T, Q) over `memory` (B, S, Q); see `attend` for the results."""
        keys = memory if keys is None else keys
        return attend(query @ keys.transpose(1, 2), memory, mask)


Attention: TypeAlias = AdditiveAttention | GeneralAttention | DotAttention


def make_attention(name: AttentionName, query_size: int, memory_size: int) -> Attention:
    """Make the attention called `name`.

    Raises:
        ConfigurationError: there is no such attention, or the widths do not fit it.
    """
    match name:
        case "additive":
            return AdditiveAttention(query_size, memory_size)
        case "general":
            return GeneralAttention(query_size, memory_size)
        case "dot":
            return DotAttention(query_size, memory_size)
    raise ConfigurationError("attention", name, "additive, general or dot")
