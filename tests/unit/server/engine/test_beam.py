import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_bundle.repetition import completes_repetition
from ostinato_server.engine.beam import BeamSearch

END = 0
VOCABULARY = 4


def logprobs_after(prefix: tuple[int, ...], seed: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A made-up model: a distribution that depends on the whole prefix."""
    logits = np.random.default_rng([seed, len(prefix), *prefix]).normal(size=VOCABULARY)
    return np.asarray(logits - math.log(np.exp(logits).sum()), np.float32)


def search(width: int, max_tokens: int, penalty: float, seed: int) -> tuple[tuple[int, ...], float]:
    """Runs a beam over the model, as the engine does."""
    beam = BeamSearch(width, END, max_tokens, penalty)
    prefixes: list[tuple[int, ...]] = [()] * width
    while True:
        rows = [logprobs_after(prefix, seed) for prefix in prefixes]
        order = [np.argsort(-row, kind="stable") for row in rows]
        survivors = beam.advance(
            np.array(order, np.int64), np.array([row[o] for row, o in zip(rows, order, strict=True)]), None
        )
        if survivors is None:
            break
        pairs = zip(survivors.sources, survivors.tokens, strict=True)
        prefixes = [(*prefixes[lane], token) for lane, token in pairs]
    best = beam.best()
    return tuple(link.token_id for link in best.links()), best.logprob


def score(tokens: tuple[int, ...], seed: int) -> float:
    return float(sum(logprobs_after(tokens[:i], seed)[token] for i, token in enumerate(tokens)))


@given(st.integers(0, 10_000))
def test_beam_as_wide_as_the_space_finds_the_best_ended_hypothesis(seed: int) -> None:
    length = 3
    words = range(1, VOCABULARY)
    candidates = [(*words_, END) for n in range(length) for words_ in itertools.product(words, repeat=n)]
    best = max(candidates, key=lambda tokens: score(tokens, seed) / ((5 + len(tokens)) / 6) ** 0.6)
    found, logprob = search(40, length, 0.6, seed)
    assert found == best
    assert logprob == pytest.approx(score(best, seed), rel=1e-5)


@given(st.integers(0, 10_000), st.integers(1, 6))
def test_score_of_the_result_is_the_sum_of_its_tokens(seed: int, width: int) -> None:
    tokens, logprob = search(width, 5, 1.0, seed)
    assert logprob == pytest.approx(score(tokens, seed), rel=1e-5)
    assert END not in tokens[:-1]
    assert 1 <= len(tokens) <= 6


def test_length_penalty_prefers_the_longer_hypothesis_when_it_is_high() -> None:
    def run(penalty: float) -> list[int]:
        beam = BeamSearch(2, END, 3, penalty)
        tokens = np.array([[END, 1, 2, 3], [END, 1, 2, 3]], np.int64)
        unsure = np.log(np.array([[0.5, 0.45, 0.03, 0.02]] * 2, np.float32))
        while (survivors := beam.advance(tokens, unsure, None)) is not None:
            assert len(survivors.tokens) == 2
        return [link.token_id for link in beam.best().links()]

    assert run(0.0) == [END]
    assert len(run(5.0)) > 1


def test_attention_rows_follow_the_hypothesis_they_belong_to() -> None:
    beam = BeamSearch(2, END, 4, 0.0)
    tokens = np.array([[1, 2, 3, END], [1, 2, 3, END]], np.int64)
    first = beam.advance(
        tokens, np.log(np.array([[0.6, 0.3, 0.06, 0.04]] * 2, np.float32)), np.array([[1.0, 0.0], [9, 9]], np.float32)
    )
    assert first is not None
    assert (first.sources, first.tokens) == ([0, 0], [1, 2])
    ends = np.array([[END, 1, 2, 3]] * 2, np.int64)
    sure = np.log(np.array([[0.2, 0.5, 0.2, 0.1], [0.97, 0.01, 0.01, 0.01]], np.float32))
    beam.advance(ends, sure, np.array([[0.3, 0.7], [0.4, 0.6]], np.float32))
    links = beam.best().links()
    assert [link.token_id for link in links] == [2, END]
    assert [link.attention.tolist() for link in links if link.attention is not None] == [
        [1.0, 0.0],
        pytest.approx([0.4, 0.6]),
    ]


@pytest.mark.parametrize("width", [1, 3])
def test_token_that_completes_a_repetition_is_passed_over(width: int) -> None:
    beam = BeamSearch(width, END, 12, 0.0)
    # The same ranking after every prefix: 1, and far behind it others.
    tokens = np.tile(np.array([1, 2, 3, 4, 5, 6], np.int64), (width, 1))
    logprobs = np.tile(np.array([-0.1, -4.0, -6.0, -7.0, -8.0, -9.0], np.float32), (width, 1))
    while beam.advance(tokens, logprobs, None) is not None:
        pass
    best = [link.token_id for link in beam.best().links()]
    assert best[:6] == [1, 1, 1, 1, 1, 2]
    assert not any(completes_repetition(best[:place], token) for place, token in enumerate(best))
