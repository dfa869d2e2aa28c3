"""Long texts made of short ones, and outputs that run away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_models.data.examples import LabelledText
from ostinato_models.evaluation.typing import is_runaway, joined


@pytest.mark.parametrize(
    ("source", "output", "runaway"),
    [
        ("I love you", "Je t'aime.", False),
        ("I love you", "je ne sais pas je ne sais pas", False),
        ("I love you", "je ne sais je ne sais pas", True),
        ("I love you", "non non non non non non", True),
        ("I love you", "x" * 50, False),
        ("I love you", "x" * 51, True),
        ("", "x" * 20, False),
        ("Hi", "", False),
    ],
)
def test_a_runaway_repeats_itself_or_does_not_end(source: str, output: str, runaway: bool) -> None:
    assert is_runaway(source, output) is runaway


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 5)), min_size=1), st.integers(1, 12))
def test_joined_texts_are_of_one_class_and_long_enough(rows: list[tuple[int, int]], words: int) -> None:
    texts = [LabelledText(" ".join(["ab"[label]] * count), label) for label, count in rows]
    made = joined(texts, words)
    assert {text.label for text in made} == {label for label, _ in rows}
    for text in made:
        assert set(text.text.split()) == {"ab"[text.label]}
        alone = sum(other.label == text.label for other in made) == 1
        assert len(text.text.split()) >= words or alone
