"""A training is judged by its errors, and by nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ostinato_models.errors import ConfigurationError
from ostinato_models.lab.stability.settings import PRESETS
from ostinato_models.lab.stability.trainings import (
    TASK,
    Outcome,
    Training,
    judge,
    measure,
    planned_work,
    select,
    share,
)
from ostinato_models.lab.synthetic.training import Member, Trace
from ostinato_models.lab.threads import one_thread

SETTINGS = replace(
    PRESETS["quick"],
    parameters=150,
    batch_size=4,
    updates=12,
    window=2,
    learning_rates=(0.01, 1e38),
    repeats=2,
    lengths=(4,),
)


def judged(*errors: float, norms: tuple[float, ...] = (9.0, 9.0, 1.0, 4.0, 1.0, 1.0)) -> Training:
    """A training whose `errors` are multiples of the blind answer's."""
    trace = Trace(Member(0, 0.01), tuple(error * TASK.baseline for error in errors), norms)
    return judge(SETTINGS, "gru", 4, trace)


@pytest.mark.parametrize(
    ("errors", "outcome", "final", "rise"),
    [
        ((7.0, 3.0, 1.0, 0.2, 0.2, 0.2), "learned", 0.2, 0.0),
        ((7.0, 3.0, 1.0, 1.2, 0.9, 1.1), "stalled", 1.0, 0.0),
        ((7.0, 1.0, 0.1, 0.1, 0.9, 0.9), "unstable", 0.9, 0.8),
        ((7.0, 0.1, 0.1, 0.9, 0.9, 0.1), "unstable", 0.5, 0.8),
        ((9.0, 8.0, 7.0, 6.0, 5.0, 4.0), "unstable", 4.5, 0.0),
        ((7.0, 1.0, 0.1, 0.1, 0.1, math.nan), "unstable", math.inf, math.inf),
    ],
)
def test_outcomes_follow_from_the_errors(
    errors: tuple[float, ...], outcome: Outcome, final: float, rise: float
) -> None:
    training = judged(*errors)
    assert training.outcome == outcome
    assert training.final == pytest.approx(final)
    if outcome == "unstable":
        assert training.rise == pytest.approx(rise)


def test_the_first_updates_are_no_spike_and_a_gradient_that_is_no_number_is_not_compared() -> None:
    flat = (1.0,) * 6
    assert judged(*flat).spike == 4.0
    assert judged(*flat, norms=(9.0, 9.0, 1.0, 3.0, 1.0, math.inf)).spike == 3.0
    assert judged(1.0, 1.0, norms=(9.0, math.nan)).spike == math.inf


def test_every_network_is_trained_at_every_learning_rate_and_the_work_is_counted_to_its_end() -> None:
    seen: list[int] = []
    with one_thread():
        trainings = measure(SETTINGS, "lstm", 4, seen.append)
    assert [(each.learning_rate, each.seed) for each in trainings] == [(0.01, 0), (0.01, 1), (1e38, 0), (1e38, 1)]
    assert all(each.outcome == "unstable" for each in select(trainings, "lstm", learning_rate=1e38))
    assert share(select(trainings, "lstm", length=4), "unstable") >= 0.5
    assert select(trainings, "gru") == []
    assert seen == sorted(seen)
    assert seen[-1] == planned_work(SETTINGS, 4) == 4 * 12 * 4


def test_a_training_needs_room_for_two_windows() -> None:
    with pytest.raises(ConfigurationError, match=r"window.*less than half of the 12 updates"):
        replace(SETTINGS, window=6)
