"""Clipping: the same training survives with it and overflows without."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ostinato_models.lab.gradient_flow.clipping import Training, train
from ostinato_models.lab.gradient_flow.settings import PRESETS
from ostinato_models.lab.gradient_flow.texts import Text

SETTINGS = replace(
    PRESETS["quick"],
    hidden_size=16,
    embedding_size=8,
    clip_radius=2.0,
    clip_length=30,
    clip_updates=12,
    clip_learning_rate=0.5,
)
TEXT = Text(torch.from_numpy(np.random.default_rng(0).integers(0, 11, 500)), 11)


def test_without_clipping_the_loss_overflows_and_the_training_ends_there() -> None:
    training = train(SETTINGS, TEXT, None)
    assert training.diverged
    assert len(training.losses) < SETTINGS.clip_updates
    assert training.applied == training.norms


def test_with_clipping_no_applied_gradient_is_longer_than_the_limit() -> None:
    training = train(SETTINGS, TEXT, 1.0)
    assert not training.diverged
    assert len(training.losses) == SETTINGS.clip_updates
    assert max(training.norms) > 100
    assert max(training.applied) == 1.0
    assert training.losses[-1] < training.losses[0]


def test_both_start_from_the_same_weights_and_batch() -> None:
    unclipped, clipped = train(SETTINGS, TEXT, None), train(SETTINGS, TEXT, 1.0)
    assert (unclipped.losses[0], unclipped.norms[0]) == (clipped.losses[0], clipped.norms[0])


@pytest.mark.parametrize(("losses", "diverged"), [((2.0, 1.0), False), ((2.0, math.nan), True), ((math.inf,), True)])
def test_diverged_means_no_longer_a_number(losses: tuple[float, ...], diverged: bool) -> None:
    assert Training(None, losses, (1.0,) * len(losses)).diverged is diverged
