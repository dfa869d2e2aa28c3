"""Bag of words with logistic regression: what a sentiment network has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from ostinato_models.data.examples import POSITIVE, LabelledText


class BagOfWords:
    """Which words and word pairs a text has, weighed by logistic regression.

    Order beyond a pair is lost, so it cannot follow a negation or a "but" across a clause.

        >>> baseline = BagOfWords.fit(corpus.train)
        >>> baseline.accuracy(corpus.test)
        0.82
    """

    def __init__(self, pipeline: Pipeline) -> None:
        """Wrap a fitted pipeline; use `fit` to make one."""
        self._pipeline = pipeline

    @classmethod
    def fit(cls, rows: Sequence[LabelledText], *, inverse_regularisation: float = 1.0) -> BagOfWords:
        """Learn from labelled texts; the same rows give the same model.

        Args:
            rows: texts of both classes.
            inverse_regularisation: scikit-learn's ``C``, the weight of the data against the L2 penalty.
        """
        pipeline = make_pipeline(
            # SST-2's text comes tokenized: splitting at spaces keeps "n't" and punctuation.
            CountVectorizer(tokenizer=str.split, token_pattern=None, ngram_range=(1, 2), binary=True),
            LogisticRegression(C=inverse_regularisation, max_iter=1000),
        )
        pipeline.fit([row.text for row in rows], [row.label for row in rows])
        return cls(pipeline)

    @property
    def parameters(self) -> int:
        """How many weights there are: one for each word and pair of words, and the intercept."""
        regression: LogisticRegression = self._pipeline[-1]
        return int(regression.coef_.size + regression.intercept_.size)

    def positive_probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probability of the positive class for each text, shape (len(texts),)."""
        probabilities: NDArray[np.float64] = self._pipeline.predict_proba(list(texts))
        return probabilities[:, POSITIVE]

    def accuracy(self, rows: Sequence[LabelledText]) -> float:
        """Share of the texts whose likelier class is the true one, in [0, 1]."""
        predicted = self.positive_probabilities([row.text for row in rows]) > 0.5
        return float(np.mean(predicted == np.array([row.label == POSITIVE for row in rows])))
