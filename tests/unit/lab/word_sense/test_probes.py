"""Separation: right on states whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from ostinato_models.lab.word_sense.contexts import SENSES, examples
from ostinato_models.lab.word_sense.probes import Floats, project, separation

EXAMPLES = examples("right")
TRUTH = np.array([example.sense == SENSES[1] for example in EXAMPLES])


def noise(seed: int, width: int = 6) -> Floats:
    return np.random.default_rng(seed).normal(size=(len(EXAMPLES), width)).astype(np.float32)


def test_states_that_hold_the_sense_give_it_up() -> None:
    states = noise(0)
    states[:, 2] = np.where(TRUTH, 50.0, -50.0)
    found = separation(states, EXAMPLES)
    assert (found.accuracy, found.pairs, found.neighbours, found.identical) == (1.0, 1.0, 1.0, 0.0)


def test_states_shared_by_a_pair_give_exactly_chance() -> None:
    states = noise(1)
    states[1::2] = states[0::2]
    found = separation(states, EXAMPLES)
    assert (found.accuracy, found.pairs, found.identical) == (0.5, 0.5, 1.0)
    assert found.neighbours == pytest.approx(0.5)


def test_a_probe_is_never_tested_on_a_cue_that_it_was_trained_on() -> None:
    # The states name the cue and the sense of that cue only: to know eleven cues says nothing about the twelfth.
    states = np.zeros((len(EXAMPLES), 24), dtype=np.float32)
    for row, example in enumerate(EXAMPLES):
        states[row, 2 * example.cue + (example.sense == SENSES[1])] = 1.0
    assert separation(states, EXAMPLES).accuracy == 0.5


def test_projection_keeps_the_largest_spread() -> None:
    states = noise(2) * np.array([1, 30, 1, 1, 10, 1], dtype=np.float32)
    points = project(states)
    assert points.shape == (len(EXAMPLES), 2)
    assert abs(np.corrcoef(points[:, 0], states[:, 1])[0, 1]) > 0.99
    assert abs(np.corrcoef(points[:, 1], states[:, 4])[0, 1]) > 0.99
