"""A repetition is found at the token that completes it, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_bundle.repetition import LONGEST, SHORTEST, completes_repetition


@pytest.mark.parametrize(
    ("tokens", "token", "repeated"),
    [
        ([1, 2, 3, 1, 2], 3, True),
        ([9, 1, 2, 3, 4, 1, 2, 3], 4, True),
        ([1, 2, 3, 1, 2], 4, False),
        ([1, 2, 1], 2, False),  # two tokens may stand twice: "très, très,"
        ([1, 1, 1, 1, 1], 1, True),
        ([1, 1, 1, 1], 1, False),
        ([1, 2, 3, 9, 1, 2], 3, False),
        ([], 1, False),
    ],
)
def test_repetition(tokens: list[int], token: int, repeated: bool) -> None:
    assert completes_repetition(tokens, token) is repeated


@given(st.lists(st.integers(0, 2), max_size=40), st.integers(0, 2))
def test_it_is_the_definition(tokens: list[int], token: int) -> None:
    text = [*tokens, token]
    lengths = range(SHORTEST, min(LONGEST, len(text) // 2) + 1)
    assert completes_repetition(tokens, token) is any(text[-n:] == text[-2 * n : -n] for n in lengths)
