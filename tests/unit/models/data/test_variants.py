"""Ways to type a sentence: what each does, and that training draws them by its seed alone."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_models.data.examples import SentencePair
from ostinato_models.data.variants import REVIEW_VARIANTS, VARIANTS, natural, typed, typed_pairs, typed_review

PAIRS = [SentencePair(f"It's number {index}.", f"C'est le num\u00e9ro {index}.") for index in range(200)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("no-final-mark", 'Tom said, "I don\'t know" twice'),
        ("lower-initial", 'tom said, "I don\'t know" twice!'),
        ("lower", 'tom said, "i don\'t know" twice!'),
        ("capitals", 'TOM SAID, "I DON\'T KNOW" TWICE!'),
        ("doubled-marks", 'Tom said, "I don\'t know" twice!!!'),
        ("no-apostrophes", 'Tom said, "I dont know" twice!'),
        ("extra-spaces", ' Tom  said,  "I  don\'t  know"  twice  ! '),
        ("typographic", "Tom\u00a0said, \u201cI don\u2019t know\u201d twice!"),
        ("hurried", 'tom said, "i dont know" twice'),
    ],
)
def test_a_variant_of_a_sentence(name: str, expected: str) -> None:
    assert VARIANTS[name]('Tom said, "I don\'t know" twice!') == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("natural", "it's (really) great, and I can't stop."),
        ("elongated", "it's (reallyyyy) great, and I can't stop."),
        ("scraped", "<p>it&#x27;s&nbsp;(really) great, and I can&#x27;t stop.<br /></p>"),
        ("emoticon", "it's (really) great, and I can't stop. :)"),
        ("hurried", "its (really) great, and i cant stop"),
    ],
)
def test_a_variant_of_a_tokenized_review(name: str, expected: str) -> None:
    assert REVIEW_VARIANTS[name]("it 's -lrb- really -rrb- great , and I ca n't stop .") == expected


@given(st.text(min_size=1).filter(str.strip), st.sampled_from(sorted(REVIEW_VARIANTS)))
def test_no_variant_leaves_nothing(text: str, name: str) -> None:
    assert REVIEW_VARIANTS[name](text).strip()


@given(st.text(min_size=1).filter(str.strip), st.integers(0, 99))
def test_whatever_is_typed_is_something(text: str, seed: int) -> None:
    assert typed(text, random.Random(seed)).strip()
    assert typed_review(text, random.Random(seed)).strip()


def test_natural_text_stays_as_it_is() -> None:
    assert natural("It's (really) great, and I can't stop.") == "It's (really) great, and I can't stop."


def test_the_share_of_typed_sources_is_what_was_asked_for() -> None:
    assert typed_pairs(PAIRS, 0.0, 1) == PAIRS
    changed = [new.source != old.source for new, old in zip(typed_pairs(PAIRS, 0.5, 1), PAIRS, strict=True)]
    assert 60 < sum(changed) < 110


def test_the_seed_decides_what_is_typed() -> None:
    assert typed_pairs(PAIRS, 1.0, 1) == typed_pairs(PAIRS, 1.0, 1) != typed_pairs(PAIRS, 1.0, 2)


def test_a_target_stays_as_the_corpus_has_it_unless_another_follows() -> None:
    targets = {pair.target for pair in PAIRS}
    joined = 0
    for new in typed_pairs(PAIRS, 1.0, 3):
        parts = [part if part.endswith(".") else f"{part}." for part in new.target.split(". ")]
        assert set(parts) <= targets
        joined += len(parts) == 2
    assert 3 <= joined <= 30


def test_a_currency_changes_on_both_sides() -> None:
    pairs = [SentencePair("It costs $5.", "\u00c7a co\u00fbte 5 $.")]
    new = [typed_pairs(pairs, 1.0, seed)[0] for seed in range(20)]
    assert all("$" not in pair.source and "$" not in pair.target for pair in new)
    assert all(("\u20ac" in pair.source) == ("\u20ac" in pair.target) for pair in new)
    assert {sign for pair in new for sign in "\u20ac\u00a3" if sign in pair.target} == {"\u20ac", "\u00a3"}
