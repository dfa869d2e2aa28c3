"""Negation is found by whole words; the pairs are pairs."""

from __future__ import annotations

import pytest

from ostinato_models.data.sentiment_grammar import BLAME, DEGREES, ENDINGS, OPENINGS, PRAISE, SUBJECTS
from ostinato_models.lab.sentiment_comparison.negation import PAIRS, Pair, is_negated

EVERY_PAIR = [pair for pairs in PAIRS.values() for pair in pairs]


@pytest.mark.parametrize("text", ["it is not good .", "you ca n't lose", "Never again", "without a plot"])
def test_a_word_of_negation_is_found(text: str) -> None:
    assert is_negated(text)


@pytest.mark.parametrize("text", ["a nothingness of note", "it is good .", "the notion of nobodies", ""])
def test_letters_inside_another_word_are_none(text: str) -> None:
    assert not is_negated(text)


@pytest.mark.parametrize("pair", EVERY_PAIR, ids=lambda pair: pair.negated.text)
def test_a_pair_has_opposite_classes_and_one_negation(pair: Pair) -> None:
    assert {pair.plain.label, pair.negated.label} == {0, 1}
    assert is_negated(pair.negated.text)
    assert not is_negated(pair.plain.text)


def test_the_grammars_pairs_use_its_words_alone() -> None:
    known = " ".join([*SUBJECTS, *PRAISE, *BLAME, *DEGREES, *OPENINGS, *ENDINGS, "is not but"]).split()
    for pair in PAIRS["generated-sentiment"]:
        assert set(pair.plain.text.split()) | set(pair.negated.text.split()) <= set(known)
