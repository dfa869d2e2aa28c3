"""The bag of words learns what words say, and cannot follow order."""

from __future__ import annotations

import numpy as np

from ostinato_models.baselines.bag_of_words import BagOfWords
from ostinato_models.data.examples import LabelledText
from ostinato_models.data.sentiment_grammar import generate_sentiment

CORPUS = generate_sentiment()
BASELINE = BagOfWords.fit(CORPUS.train)


def test_it_knows_the_words_but_not_what_a_negation_or_a_turn_does_to_them() -> None:
    simple = [row for row in CORPUS.test if " but " not in row.text and " not " not in row.text]
    twisted = [row for row in CORPUS.test if row not in simple]

    assert BASELINE.accuracy(simple) > 0.85
    assert BASELINE.accuracy(twisted) < 0.6


def test_probabilities_are_of_the_positive_class_and_repeatable() -> None:
    texts = ["the film is superb !", "the film is dreadful !"]

    first, again = (model.positive_probabilities(texts) for model in (BASELINE, BagOfWords.fit(CORPUS.train)))

    assert first[0] > 0.6
    assert first[1] < 0.4
    np.testing.assert_array_equal(first, again)


def test_a_weight_for_each_word_and_pair_and_one_intercept() -> None:
    model = BagOfWords.fit([LabelledText("good film", 1), LabelledText("bad film", 0)])
    assert model.parameters == len({"good", "bad", "film", "good film", "bad film"}) + 1
