"""The texts that the models learn from and are judged by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ostinato_models.data.corpora import find_data_set
from ostinato_models.data.examples import SentimentCorpus
from ostinato_models.lab.sentiment_comparison.settings import SentimentComparisonSettings


def load_corpus(settings: SentimentComparisonSettings, folder: Path) -> SentimentCorpus:
    """Read the corpus that `settings` name; SST-2 comes from `folder`.

    Raises:
        DataError: a file is missing, not a known one, or malformed.
    """
    corpus = find_data_set(settings.corpus).load(folder)
    if not isinstance(corpus, SentimentCorpus):
        raise TypeError(f"{settings.corpus} holds no labelled texts")
    return corpus


def draw(corpus: SentimentCorpus, share: float, seed: int) -> SentimentCorpus:
    """The corpus with a random `share` of its training texts, in their order; nothing else changes."""
    count = max(1, round(share * len(corpus.train)))
    rows = np.random.default_rng(seed).choice(len(corpus.train), count, replace=False)
    return replace(corpus, train=[corpus.train[row] for row in sorted(rows.tolist())])
