"""The aligner finds a dictionary, and learns as expectation maximisation must."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_models.lab.attention.aligner import NULL, train_aligner

SENTENCES = st.lists(st.sampled_from("abcde"), min_size=1, max_size=5)


def test_it_finds_which_word_translates_which_whatever_their_order() -> None:
    pairs = [
        (("the", "house"), ("maison", "la")),
        (("the", "book"), ("le-livre", "la")),
        (("a", "book"), ("le-livre", "une")),
        (("a", "house"), ("maison", "une")),
    ]
    aligner = train_aligner(pairs, 20)
    assert aligner.align(("a", "house"), ("une", "maison")) == [0, 1]
    assert aligner.align(("book", "the"), ("la", "le-livre")) == [1, 0]


def test_a_word_that_comes_with_every_sentence_comes_from_no_word() -> None:
    pairs = [((f"w{number}",), (f"t{number}", "ne")) for number in range(30)]
    assert train_aligner(pairs, 10).align(("w3",), ("t3", "ne")) == [0, None]


@given(st.lists(st.tuples(SENTENCES, SENTENCES), min_size=1, max_size=8), st.integers(1, 6))
def test_tables_are_distributions_and_the_likelihood_never_falls(
    pairs: list[tuple[list[str], list[str]]], iterations: int
) -> None:
    aligner = train_aligner(pairs, iterations)
    sums: defaultdict[str, float] = defaultdict(float)
    for (source, _), chance in aligner.probabilities.items():
        assert 0.0 <= chance <= 1.0 + 1e-9
        sums[source] += chance
    assert set(sums) == {NULL, *(word for source, _ in pairs for word in source)}
    assert all(math.isclose(total, 1.0, abs_tol=1e-9) for total in sums.values())
    assert len(aligner.likelihoods) == iterations
    for earlier, later in pairwise(aligner.likelihoods):
        assert later >= earlier - 1e-9


def test_pairs_with_an_empty_side_are_left_out() -> None:
    aligner = train_aligner([((), ("x",)), (("a",), ("b",))], 1)
    assert ("a", "b") in aligner.probabilities
    assert aligner.probabilities.get((NULL, "x")) is None
    assert aligner.likelihoods[0] == pytest.approx(0.0)
