"""Bucketed batches hold every row once, keep to their limits and repeat with their seed."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato_models.data.batches import bucketed_batches, pad

lengths_of_rows = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 40)), min_size=1, max_size=60)


def cut(lengths: list[tuple[int, int]], seed: int = 1) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    return [batch.tolist() for batch in bucketed_batches(lengths, max_tokens=100, max_rows=8, generator=generator)]


@given(lengths_of_rows)
def test_every_row_is_in_exactly_one_batch(lengths: list[tuple[int, int]]) -> None:
    rows = [row for batch in cut(lengths) for row in batch]

    assert sorted(rows) == list(range(len(lengths)))


@given(lengths_of_rows)
def test_no_batch_exceeds_its_limits(lengths: list[tuple[int, int]]) -> None:
    for batch in cut(lengths):
        widest = max(max(lengths[row]) for row in batch)
        assert len(batch) <= 8
        assert len(batch) == 1 or widest * len(batch) <= 100


def test_rows_of_one_length_meet_and_the_order_follows_the_seed() -> None:
    lengths = [(length, length) for length in (3, 9, 3, 9, 3, 9, 3, 9)] * 4

    batches = cut(lengths)

    assert all(len({lengths[row] for row in batch}) == 1 for batch in batches)
    assert cut(lengths) == batches
    assert cut(lengths, seed=2) != batches


def test_padding_makes_a_rectangle_and_remembers_the_lengths() -> None:
    tokens, lengths = pad([[5, 6], [7], [8, 9, 10]], value=1)

    assert tokens.tolist() == [[5, 6, 1], [7, 1, 1], [8, 9, 10]]
    assert lengths.tolist() == [2, 1, 3]
