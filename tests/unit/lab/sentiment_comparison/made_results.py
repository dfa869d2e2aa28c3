"""Results with chosen numbers, for the tests of what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from ostinato_models.lab.sentiment_comparison.contenders import CONTENDERS, ModelName
from ostinato_models.lab.sentiment_comparison.negation import PAIRS
from ostinato_models.lab.sentiment_comparison.scores import SentimentComparisonResult
from ostinato_models.lab.sentiment_comparison.settings import PRESETS
from ostinato_models.lab.sentiment_comparison.trials import Trial

SETTINGS = replace(PRESETS["quick"], repeats=2)
LABELS = (1, 1, 1, 1, 1, 0, 0, 0, 0, 0)
NEGATED = (True, True, False, False, False, True, True, False, False, False)
PAIR_COUNT = len(PAIRS["generated-sentiment"])


def trial(model: ModelName, seed: int, wrong: frozenset[int] = frozenset(), cost: float = 1.0) -> Trial:
    """A trial that errs on the test texts `wrong` and is sure of every other one; its pairs are all right."""
    pairs = PAIRS["generated-sentiment"]
    return Trial(
        model=model,
        seed=seed,
        parameters=10,
        size=round(1e6 * cost),
        training_seconds=2.0 * cost,
        latencies=(0.5 * cost, cost),
        probabilities=tuple(0.9 if (label == 1) != (row in wrong) else 0.1 for row, label in enumerate(LABELS)),
        plain=tuple(float(pair.plain.label) for pair in pairs),
        negated=tuple(float(pair.negated.label) for pair in pairs),
    )


Wrong: TypeAlias = dict[ModelName, tuple[frozenset[int], frozenset[int]]]
"""For each model the rows of the test texts that it errs on, from either seed."""


def result(wrong: Wrong, costs: Mapping[ModelName, float]) -> SentimentComparisonResult:
    """Two seeds of every model, each erring on the test texts given for it; a model not named never errs."""
    never = frozenset[int]()
    return SentimentComparisonResult(
        SETTINGS,
        1000,
        LABELS,
        NEGATED,
        tuple(
            trial(name, seed, wrong.get(name, (never, never))[seed], costs.get(name, 1.0))
            for seed in (0, 1)
            for name in CONTENDERS
        ),
    )
