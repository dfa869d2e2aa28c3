import asyncio
from unittest.mock import create_autospec

from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.engine.classify import PADDED_TOKENS, Classification, take_batch

LOOP = create_autospec(asyncio.AbstractEventLoop, instance=True)
"""Futures want a loop; none of these is ever awaited."""


def waiting(lengths: list[int]) -> list[Classification]:
    return [
        Classification([index] * length, float("inf"), 0.0, asyncio.Future(loop=LOOP))
        for index, length in enumerate(lengths)
    ]


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(1, 20))
def test_every_text_is_taken_once_in_batches_that_keep_to_their_bounds(lengths: list[int], most: int) -> None:
    left = waiting(lengths)
    everything = list(left)
    taken: list[Classification] = []
    while left:
        oldest = left[0]
        batch = take_batch(left, most)
        assert oldest in batch
        assert len(batch) <= most
        assert len(batch) == 1 or len(batch) * max(len(text.tokens) for text in batch) <= PADDED_TOKENS
        taken += batch
    assert sorted(map(id, taken)) == sorted(map(id, everything))


def test_texts_nearest_in_length_to_the_oldest_go_with_it() -> None:
    left = waiting([10, 200, 11, 9, 150, 10])
    assert sorted(len(text.tokens) for text in take_batch(left, 4)) == [9, 10, 10, 11]
    assert [len(text.tokens) for text in left] == [200, 150]
