"""What every model makes of the pairs of sentences, over its seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ostinato_models.data.examples import POSITIVE, LabelledText
from ostinato_models.lab.sentiment_comparison.contenders import CONTENDERS, ModelName
from ostinato_models.lab.sentiment_comparison.negation import PAIRS, Pair
from ostinato_models.lab.sentiment_comparison.scores import SentimentComparisonResult

Chances = Mapping[ModelName, float]


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """A pair with the mean probability, over the seeds, that a model finds each sentence positive.

    Attributes:
        pair: the sentences.
        plain: probability by model.
        negated: likewise.
    """

    pair: Pair
    plain: Chances
    negated: Chances

    def sentences(self) -> tuple[tuple[LabelledText, Chances], tuple[LabelledText, Chances]]:
        """Both sentences with their probabilities, the plain one first."""
        return (self.pair.plain, self.plain), (self.pair.negated, self.negated)

    def right(self, model: ModelName) -> bool:
        """Whether the mean probability puts both sentences in their class."""
        return all((chances[model] > 0.5) == (text.label == POSITIVE) for text, chances in self.sentences())

    @property
    def parts(self) -> bool:
        """Whether the models disagree about a class."""
        return any(len({chance > 0.5 for chance in chances.values()}) > 1 for _, chances in self.sentences())


def judge_pairs(result: SentimentComparisonResult) -> list[JudgedPair]:
    """Average every model's probabilities over its seeds, pair by pair."""
    plain = {name: np.mean([trial.plain for trial in result.of(name)], axis=0) for name in CONTENDERS}
    negated = {name: np.mean([trial.negated for trial in result.of(name)], axis=0) for name in CONTENDERS}
    return [
        JudgedPair(
            pair,
            {name: float(plain[name][index]) for name in CONTENDERS},
            {name: float(negated[name][index]) for name in CONTENDERS},
        )
        for index, pair in enumerate(PAIRS[result.settings.corpus])
    ]
