"""The tasks ask what they say, and their baselines are what a blind answer gets."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato_models.lab.synthetic.tasks import TASKS, CopyTask

LENGTHS = st.integers(4, 40)
SEEDS = st.integers(0, 2**31)


@given(length=LENGTHS, seed=SEEDS)
def test_adding_marks_one_number_in_each_half_and_asks_for_their_sum(length: int, seed: int) -> None:
    inputs, sums = TASKS["adding"].draw(length, 3, np.random.default_rng(seed))
    assert inputs.shape == (3, length, 2)
    numbers, marks = inputs.unbind(-1)
    half = length // 2
    assert marks[:, :half].sum(dim=1).tolist() == marks[:, half:].sum(dim=1).tolist() == [1.0] * 3
    torch.testing.assert_close((numbers * marks).sum(dim=1), sums)


@given(length=LENGTHS, seed=SEEDS)
def test_copy_asks_for_every_symbol_a_delay_after_it_was_shown(length: int, seed: int) -> None:
    task = CopyTask()
    inputs, targets = task.draw(length, 3, np.random.default_rng(seed))
    tokens = inputs.argmax(dim=-1)
    assert tokens.shape == (3, task.steps(length))
    assert tokens[:, : task.answers].tolist() == targets.tolist()
    blank, sign = task.symbols, task.symbols + 1
    assert tokens[:, task.answers : length].eq(blank).all()
    assert tokens[:, length].eq(sign).all()
    assert tokens[:, length + 1 :].eq(blank).all()


def test_the_baselines_are_the_errors_of_the_best_blind_answers() -> None:
    adding, copy = TASKS["adding"], TASKS["copy"]
    _, sums = adding.draw(20, 20_000, np.random.default_rng(0))
    assert float(adding.error(torch.ones(1, 20_000, 1), sums[None])[0]) == pytest.approx(adding.baseline, rel=0.03)
    _, symbols = copy.draw(20, 50, np.random.default_rng(0))
    blind = torch.zeros(1, 50, copy.answers, copy.outputs)
    assert float(copy.error(blind, symbols[None])[0]) == pytest.approx(copy.baseline) == pytest.approx(math.log(4))


def test_every_network_has_its_own_error() -> None:
    targets = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    outputs = torch.tensor([[[0.0], [1.0]], [[1.0], [1.0]]])
    assert TASKS["adding"].error(outputs, targets).tolist() == [0.0, 0.5]
