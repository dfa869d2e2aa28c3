"""Where an architecture stops learning follows from when its networks learned."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ostinato_models.errors import ConfigurationError
from ostinato_models.lab.architectures.ranges import Range, Trial, measure_range, planned_work
from ostinato_models.lab.architectures.settings import PRESETS
from ostinato_models.lab.threads import one_thread

NEVER = math.inf
SETTINGS = replace(
    PRESETS["quick"], parameters=200, batch_size=8, updates=150, window=5, repeats=2, adding_lengths=(4, 2, 20)
)


@pytest.fixture(autouse=True)
def computed_on_one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.mark.parametrize(
    ("updates", "needed", "learned"),
    [
        ((30.0,), 30.0, 1),
        ((30.0, NEVER), 30.0, 1),
        ((NEVER, 30.0, NEVER), NEVER, 1),
        ((30.0, NEVER, 20.0), 30.0, 2),
        ((NEVER, NEVER), NEVER, 0),
    ],
)
def test_a_trial_has_learned_when_at_least_half_of_its_networks_have(
    updates: tuple[float, ...], needed: float, learned: int
) -> None:
    trial = Trial(10, 0.01, updates)
    assert (trial.needed, trial.learned) == (needed, learned)


def trials(length: int, *needed: float) -> tuple[Trial, ...]:
    return tuple(Trial(length, rate, (updates,)) for rate, updates in zip((0.01, 0.1), needed, strict=True))


def test_the_best_learning_rate_counts_at_every_length() -> None:
    found = Range("gru", "copy", (trials(4, 9.0, 20.0), trials(8, NEVER, 50.0), trials(16, NEVER, NEVER)))
    assert [(trial.learning_rate, trial.needed) for trial in found.best] == [(0.01, 9.0), (0.1, 50.0), (0.01, NEVER)]
    assert (found.longest, found.stops) == (8, 16)


def test_a_range_can_be_empty_or_without_end() -> None:
    assert (Range("rnn", "copy", (trials(4, NEVER, NEVER),)).longest) is None
    assert (Range("rnn", "copy", (trials(4, NEVER, NEVER),)).stops) == 4
    assert (Range("rnn", "copy", (trials(4, 3.0, NEVER),)).stops) is None


def test_lengths_grow_until_one_is_not_learned_and_the_work_is_counted_to_its_end() -> None:
    seen: list[int] = []
    found = measure_range("gru", "adding", SETTINGS, seen.append)
    assert [each[0].length for each in found.trials][:2] == [2, 4]
    assert found.longest is not None
    for trial in found.best:
        assert math.isinf(trial.needed) or SETTINGS.window <= trial.needed <= SETTINGS.updates
    assert seen == sorted(seen)
    assert seen[-1] == planned_work("adding", SETTINGS) == (2 + 4 + 20) * 150 * 4


def test_a_window_has_to_fit_into_the_updates() -> None:
    with pytest.raises(ConfigurationError, match=r"window.*at most the 4 updates"):
        replace(SETTINGS, updates=4)


def test_a_length_that_is_not_learned_ends_the_search() -> None:
    found = measure_range("rnn", "adding", replace(SETTINGS, updates=10), lambda done: None)
    assert [each[0].length for each in found.trials] == [2]
    assert (found.longest, found.stops) == (None, 2)
