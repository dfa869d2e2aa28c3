"""Scores are those of the served probabilities, intervals those of Student's t."""

from __future__ import annotations

import math

import pytest
from tests.unit.lab.sentiment_comparison.made_results import result

from ostinato_models.lab.sentiment_comparison.scores import Estimate, estimate

MADE = result({"rnn": (frozenset({0, 5, 9}), frozenset({0})), "gru": (frozenset({0}), frozenset({0}))}, {})


def test_the_interval_is_students() -> None:
    # The quantile of t with 2 degrees of freedom at 97.5 % is 4.3027 (any table).
    found = estimate([1.0, 2.0, 3.0])
    assert found.mean == pytest.approx(2.0)
    assert found.half_width == pytest.approx(4.3027 / math.sqrt(3), rel=1e-4)


def test_equal_seeds_leave_no_width() -> None:
    assert estimate([0.5, 0.5]) == Estimate(0.5, 0.0)


@pytest.mark.parametrize(("mean", "half_width", "excluded"), [(0.2, 0.1, True), (-0.2, 0.1, True), (0.1, 0.2, False)])
def test_an_interval_excludes_zero_on_either_side(mean: float, half_width: float, excluded: bool) -> None:
    assert Estimate(mean, half_width).excludes_zero is excluded


def test_accuracy_of_all_texts_and_of_either_part() -> None:
    first, second = MADE.of("rnn")
    assert (MADE.accuracy(first), MADE.accuracy(second)) == (0.7, 0.9)
    assert MADE.accuracy(first, negated=True) == 0.5  # texts 0 and 5 of 0, 1, 5, 6
    assert MADE.accuracy(first, negated=False) == pytest.approx(5 / 6)  # text 9 of six


def test_f1_is_that_of_the_positive_class() -> None:
    # Text 0 is a miss, texts 5 and 9 false alarms: 4 right of 5 positives and of 6 called positive.
    assert MADE.f1(MADE.of("rnn")[0]) == pytest.approx(2 * 4 / (5 + 6))


def test_a_difference_is_taken_seed_by_seed() -> None:
    found = MADE.difference("gru", "rnn", MADE.accuracy)
    assert found.mean == pytest.approx(0.1)
    assert found == estimate([0.9 - 0.7, 0.0])
