"""Grouping sequences of similar length, so that a batch holds little padding."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def bucketed_batches(
    lengths: Sequence[tuple[int, ...]],
    *,
    max_tokens: int,
    max_rows: int,
    generator: torch.Generator,
) -> list[Tensor]:
    """Cut the rows into batches of similar lengths, in random order.

    Rows are shuffled, then sorted by length, so that equal lengths meet in a new order every time;
    the batches are shuffled at the end.

    Args:
        lengths: every row's lengths; the first decides the order, then the second, …
        max_tokens: largest padded size of a batch, rows times the longest of any length.
        max_rows: largest number of rows.
        generator: the source of randomness.

    Returns:
        Row numbers of every batch, int64 (rows,).
    """
    order = torch.randperm(len(lengths), generator=generator).tolist()
    order.sort(key=lambda row: lengths[row])
    batches: list[list[int]] = []
    current: list[int] = []
    widest = 0
    for row in order:
        longest = max(widest, *lengths[row])
        if current and (len(current) == max_rows or longest * (len(current) + 1) > max_tokens):
            batches.append(current)
            current, longest = [], max(lengths[row])
        current.append(row)
        widest = longest
    if current:
        batches.append(current)
    shuffled = torch.randperm(len(batches), generator=generator).tolist()
    return [torch.tensor(batches[index]) for index in shuffled]


def pad(rows: Sequence[Sequence[int]], value: int = 0) -> tuple[Tensor, Tensor]:
    """Stack rows of ids into one rectangle.

    Args:
        rows: B non-empty rows of ids.
        value: what fills a row after its end.

    Returns:
        Ids, int64 (B, T), and lengths, int64 (B,).
    """
    lengths = torch.tensor([len(row) for row in rows])
    width = int(lengths.max())
    filled = torch.full((len(rows), width), value, dtype=torch.int64)
    for index, row in enumerate(rows):
        filled[index, : len(row)] = torch.tensor(row)
    return filled, lengths
