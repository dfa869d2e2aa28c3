"""How well a sense can be read from states: a linear probe, minimal pairs, nearest neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeClassifier

from ostinato_models.lab.word_sense.contexts import SENSES, Example

Floats = NDArray[np.float32]

RIDGE = 30.0
"""Penalty on the probe's weights: there are about as many features as sentences."""


@dataclass(frozen=True, slots=True)
class Separation:
    """How far states tell the senses apart; a half is chance for all three.

    Attributes:
        accuracy: share of sentences whose sense a linear probe tells, trained on the sentences of other cues.
        pairs: share of minimal pairs that the probe puts in the right order; a tie counts half.
        neighbours: share of states whose nearest one, of another cue, has the same sense.
        identical: share of minimal pairs whose two states are the same to the bit.
    """

    accuracy: float
    pairs: float
    neighbours: float
    identical: float


def separation(states: Floats, examples: Sequence[Example]) -> Separation:
    """Measure the states of `examples`.

    Args:
        states: (N, H), a row per example; minimal pairs are next to each other, river before money.
        examples: N of them.
    """
    scores = probe_scores(states, examples)
    truth = _truth(examples)
    river, money = scores[0::2], scores[1::2]
    return Separation(
        accuracy=float(np.mean(_share_right(scores, truth))),
        pairs=float(np.mean((money > river) + 0.5 * (money == river))),
        neighbours=_neighbours(states, examples),
        identical=float(np.mean((states[0::2] == states[1::2]).all(axis=1))),
    )


def probe_scores(states: Floats, examples: Sequence[Example]) -> NDArray[np.float64]:
    """Scores above 0 for "money", by a ridge classifier that was trained without the example's cue.

    Returns:
        (N,), a number per example.
    """
    cues = np.array([example.cue for example in examples])
    truth = _truth(examples)
    scores = np.empty(len(examples))
    for cue in np.unique(cues):
        held_out = cues == cue
        centre = states[~held_out].mean(axis=0)
        scale = states[~held_out].std(axis=0) + 1e-6
        probe = RidgeClassifier(RIDGE).fit((states[~held_out] - centre) / scale, truth[~held_out])
        scores[held_out] = probe.decision_function((states[held_out] - centre) / scale)
    return scores


def project(states: Floats) -> Floats:
    """The two directions along which the states differ most, (N, 2)."""
    centred = states - states.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    projected: Floats = centred @ directions[:2].T
    return projected


def _neighbours(states: Floats, examples: Sequence[Example]) -> float:
    """Share of states whose nearest state by the cosine, among those of other cues, has the same sense."""
    cues = np.array([example.cue for example in examples])
    truth = _truth(examples)
    centred = states - states.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred / np.where(lengths > 0, lengths, 1.0)
    likeness = np.where(cues[:, None] == cues[None, :], -np.inf, unit @ unit.T)
    nearest = likeness >= likeness.max(axis=1, keepdims=True) - 1e-6  # several, where states are the same
    same = truth[:, None] == truth[None, :]
    return float(np.mean((nearest & same).sum(axis=1) / nearest.sum(axis=1)))


def _share_right(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(scores == 0, 0.5, (scores > 0) == truth)


def _truth(examples: Sequence[Example]) -> NDArray[np.bool_]:
    return np.array([example.sense == SENSES[1] for example in examples])
