"""Scores over seeds, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student_t
from sklearn.metrics import f1_score

from ostinato_models.data.examples import POSITIVE
from ostinato_models.lab.sentiment_comparison.contenders import ModelName
from ostinato_models.lab.sentiment_comparison.settings import SentimentComparisonSettings
from ostinato_models.lab.sentiment_comparison.trials import Trial

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class SentimentComparisonResult:
    """Everything measured.

    Attributes:
        settings: what was asked.
        train_size: texts that every model learnt from.
        labels: the class of each test text.
        negated: whether each test text has a word of negation.
        trials: one per model and seed.
    """

    settings: SentimentComparisonSettings
    train_size: int
    labels: tuple[int, ...]
    negated: tuple[bool, ...]
    trials: tuple[Trial, ...]

    def of(self, model: ModelName) -> list[Trial]:
        """The trials of one model, by seed."""
        return [trial for trial in self.trials if trial.model == model]

    def estimate(self, model: ModelName, measure: Callable[[Trial], float]) -> Estimate:
        """What `measure` says about a model, over its seeds."""
        return estimate([measure(trial) for trial in self.of(model)])

    def difference(self, first: ModelName, second: ModelName, measure: Callable[[Trial], float]) -> Estimate:
        """By how much `first` exceeds `second`, seed by seed: both learnt from the same texts."""
        pairs = zip(self.of(first), self.of(second), strict=True)
        return estimate([measure(one) - measure(other) for one, other in pairs])

    def accuracy(self, trial: Trial, negated: bool | None = None) -> float:
        """Share of the test texts put in their class, in [0, 1]; of those with or without negation if asked."""
        chosen = [negated is None or has == negated for has in self.negated]
        right = (np.array(trial.probabilities) > 0.5) == (np.array(self.labels) == POSITIVE)
        return float(np.mean(right[np.array(chosen)]))

    def f1(self, trial: Trial) -> float:
        """F1 of the positive class, in [0, 1]."""
        predicted = (np.array(trial.probabilities) > 0.5).astype(int)
        return float(f1_score(self.labels, predicted, pos_label=POSITIVE, zero_division=0.0))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds, and half the width of its 95 % interval.

    Attributes:
        mean: over the seeds.
        half_width: the interval is mean ± this.
    """

    mean: float
    half_width: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero is outside the interval."""
        return abs(self.mean) > self.half_width


def estimate(values: Sequence[float]) -> Estimate:
    """Student's t interval of the mean of `values`, of which there are at least 2."""
    count = len(values)
    quantile = float(student_t.ppf(0.5 + CONFIDENCE / 2, count - 1))
    return Estimate(float(np.mean(values)), quantile * float(np.std(values, ddof=1)) / math.sqrt(count))
