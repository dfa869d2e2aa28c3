import asyncio
from collections.abc import Mapping
from unittest.mock import create_autospec

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.server.engine.rig import Counts

from ostinato_server.engine.classify import PADDED_TOKENS, Classification, ClassifyEngine, Outcome, take_batch
from ostinato_server.runtime.base import Array

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


def test_a_text_runs_while_its_batch_does_and_its_times_are_kept() -> None:
    observer = Counts()
    now = 5.0
    outcomes: list[Outcome] = []

    class Classifier:
        def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
            nonlocal now
            assert observer.running == [2]
            now += 1.0
            return {"probabilities": np.zeros((len(inputs["tokens"]), 2), np.float32)}

    engine = ClassifyEngine("m", Classifier(), 2, 0, outcomes.extend, observer, lambda: None, lambda: now)
    texts = waiting([3, 3, 3])
    engine.handle(texts)
    assert engine.cycle()
    assert observer.running == [2, 0]
    assert [text for text, _ in outcomes] == texts[:2]
    assert [(text.admitted_at, text.done_at) for text in texts] == [(5.0, 6.0), (5.0, 6.0), (0.0, 0.0)]
