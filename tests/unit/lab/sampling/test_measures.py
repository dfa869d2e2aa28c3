"""Measures are right on texts that can be counted by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_models.lab.sampling.measures import grams, measure, split_words, whole_words
from ostinato_models.lab.sampling.writing import Written

VOCABULARY = frozenset({"a", "rose", "is"})


def test_words_are_letters_with_apostrophes_inside_in_lower_case() -> None:
    assert split_words("'Tis Hamlet's, d'ye see? 42 Été_x") == ["tis", "hamlet's", "d'ye", "see", "été", "x"]


def test_a_word_that_the_end_may_have_cut_is_left_out() -> None:
    assert whole_words("to be or no") == ["to", "be", "or"]
    assert whole_words("to be, ") == ["to", "be"]
    assert whole_words("whol") == whole_words("") == []


def test_counts_are_those_of_a_known_text() -> None:
    found = measure(Written(("a rose is a rose is a rose .", "a thorn ."), math.log(3)), VOCABULARY)
    assert found.perplexity == pytest.approx(3)
    assert found.words == 10
    assert found.real_words == 0.9
    assert found.distinct == (4 / 10, 4 / 8, 3 / 6)  # no pair goes from the first text into the second
    assert found.repetition == 2 / 5  # of "a rose is a", "rose is a rose", "is a rose is", the first two come again


def test_texts_without_words_have_shares_of_nothing() -> None:
    found = measure(Written(("... ", ""), 0.0), VOCABULARY)
    assert (found.real_words, found.distinct, found.repetition, found.words) == (0.0, (0.0, 0.0, 0.0), 0.0, 0)


def test_the_same_in_two_texts_is_no_repetition_but_is_not_distinct() -> None:
    found = measure(Written(("a rose is a thing .",) * 2, 0.0), VOCABULARY)
    assert found.repetition == 0.0
    assert found.distinct[1] == 0.5


@given(st.lists(st.sampled_from("abc"), max_size=12), st.integers(1, 4))
def test_there_is_a_sequence_for_every_place_it_fits(words: list[str], length: int) -> None:
    found = list(grams(words, length))
    assert len(found) == max(0, len(words) - length + 1)
    assert all(list(gram) == words[place : place + length] for place, gram in enumerate(found))
