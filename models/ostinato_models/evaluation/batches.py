"""Texts of unequal length in rectangles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


def batches_by_length(rows: Sequence[Sequence[int]], size: int) -> Iterator[tuple[list[int], IntArray, IntArray]]:
    """Group rows of similar length.

    Args:
        rows: non-empty rows of token ids.
        size: rows in a batch.

    Yields:
        Row numbers, token ids (B, T) padded with 0, and lengths (B,).
    """
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        lengths = np.array([len(rows[row]) for row in chosen])
        tokens = np.zeros((len(chosen), int(lengths.max())), np.int64)
        for index, row in enumerate(chosen):
            tokens[index, : len(rows[row])] = rows[row]
        yield chosen, tokens, lengths
