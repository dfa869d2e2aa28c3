"""The characters that the networks read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ostinato_models.data.pydoc_topics import load_pydoc_topics


@dataclass(frozen=True, slots=True)
class Text:
    """A text as ids, and how many there are.

    Attributes:
        ids: int64 (N,).
        vocabulary_size: ids are below it.
    """

    ids: Tensor
    vocabulary_size: int

    def windows(self, count: int, length: int, seed: int) -> Tensor:
        """Draw `count` windows of `length` + 1 characters, int64 (count, length + 1)."""
        starts = np.random.default_rng(seed).integers(0, len(self.ids) - length, count)
        return torch.stack([self.ids[start : start + length + 1] for start in starts.tolist()])


def load_text() -> Text:
    """The embedded corpus, which needs no data."""
    vocabulary, ids = np.unique(list(load_pydoc_topics().train), return_inverse=True)
    return Text(torch.from_numpy(ids.astype(np.int64)), len(vocabulary))
