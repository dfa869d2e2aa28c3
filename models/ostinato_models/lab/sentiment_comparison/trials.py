"""One model trained from one seed: what it says, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ostinato_models.data.examples import SentimentCorpus
from ostinato_models.lab.sentiment_comparison.contenders import CONTENDERS, ModelName
from ostinato_models.lab.sentiment_comparison.negation import PAIRS
from ostinato_models.lab.sentiment_comparison.serving import Served, ServedBag, ServedNetwork, measure_latencies
from ostinato_models.lab.sentiment_comparison.settings import SentimentComparisonSettings
from ostinato_models.lab.sentiment_comparison.texts import draw
from ostinato_models.lab.sentiment_comparison.training import train_bag, train_network
from ostinato_models.tokenization import train_english_tokenizer


@dataclass(frozen=True, slots=True)
class Trial:
    """What one trained model did; everything as served, the networks in int8.

    Attributes:
        model: which one.
        seed: what it started from.
        parameters: numbers learnt.
        size: bytes served.
        training_seconds: processor time of its training.
        latencies: milliseconds, 50th and 99th percentile over the test texts.
        probabilities: of the positive class, for each test text.
        plain: likewise for each pair's plain sentence.
        negated: likewise for each pair's negated sentence.
    """

    model: ModelName
    seed: int
    parameters: int
    size: int
    training_seconds: float
    latencies: tuple[float, float]
    probabilities: tuple[float, ...]
    plain: tuple[float, ...]
    negated: tuple[float, ...]


def run_trials(settings: SentimentComparisonSettings, corpus: SentimentCorpus, seed: int) -> Iterator[Trial]:
    """Train every model on the same draw of the texts, and measure each."""
    drawn = draw(corpus, settings.train_share, seed)
    tokenizer = train_english_tokenizer((row.text for row in drawn.train), settings.vocabulary_size)
    texts = [row.text for row in corpus.test]
    for name, contender in CONTENDERS.items():
        served: Served
        if contender.cell is None:
            bag = train_bag(drawn)
            served, seconds = ServedBag(bag), bag.seconds
        else:
            network = train_network(contender, contender.cell, settings, drawn, tokenizer, seed)
            served, seconds = ServedNetwork(network, tokenizer), network.seconds
        pairs = PAIRS[settings.corpus]
        median, high = np.percentile(measure_latencies(served, texts, settings.latency_rounds), [50, 99])
        yield Trial(
            model=name,
            seed=seed,
            parameters=served.parameters,
            size=served.size,
            training_seconds=seconds,
            latencies=(float(median), float(high)),
            probabilities=_score(served, texts),
            plain=_score(served, [pair.plain.text for pair in pairs]),
            negated=_score(served, [pair.negated.text for pair in pairs]),
        )


def _score(served: Served, texts: Sequence[str]) -> tuple[float, ...]:
    return tuple(served.positive_probabilities(texts).tolist())
