"""Opinions of a known class, and the minimal pairs that they must not give away."""

from __future__ import annotations

from collections import Counter

from ostinato_models.data import negation, opinions
from ostinato_models.data.negation import negation_pairs
from ostinato_models.data.opinions import write_opinions


def test_opinions_are_different_and_of_both_classes() -> None:
    rows = write_opinions(2000, seed=1)
    assert len({row.text for row in rows}) == len(rows) == 2000
    labels = Counter(row.label for row in rows)
    assert min(labels.values()) > 800


def test_the_seed_decides_the_opinions() -> None:
    assert write_opinions(800, 1) == write_opinions(800, 1) != write_opinions(800, 2)


def test_negation_turns_an_opinion_round() -> None:
    labels = {row.text: row.label for row in write_opinions(60_000, seed=1)}
    for thing in ("the phone", "the hotel", "it"):
        for judged, label in (("excellent", 1), ("useless", 0)):
            assert labels.get(f"{thing} is {judged}.", label) == label
            assert labels.get(f"{thing} is not {judged}.", 1 - label) == 1 - label
            assert labels.get(f"nobody would call {thing} {judged}.", 1 - label) == 1 - label
    assert [labels[text] for text in ("not bad at all.", "i can't recommend it enough.", "meh.", ":(")] == [1, 1, 0, 0]


def test_minimal_pairs_are_of_opposite_classes_and_differ() -> None:
    rows = negation_pairs()
    assert len(rows) == len(negation.PAIRS) * len(negation.THINGS) * 2 >= 400
    for praised, blamed in zip(rows[::2], rows[1::2], strict=True):
        assert (praised.label, blamed.label) == (1, 0)
        assert praised.text != blamed.text


def test_no_word_that_judges_in_a_pair_is_learnt_from() -> None:
    learnt = " ".join(row.text for row in write_opinions(20_000, seed=1)).split()
    assert not set(learnt) & {*negation.GOOD, *negation.BAD, *negation.THINGS}
    assert not {*negation.GOOD, *negation.BAD} & {*opinions.GOOD, *opinions.BAD}
