"""The sentiment classifier over a batch of texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer

from .session import bundle, open_session

LONGEST = 256
"""Tokens of a text, at most."""


class Classifier:
    """Texts in, probabilities of "positive" out."""

    def __init__(self) -> None:
        folder = bundle("sentiment")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._session = open_session(folder / "classifier.onnx")

    def score(self, texts: Sequence[str]) -> list[float]:
        """Scores texts in one run, padded to the longest."""
        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        rows = [each.ids[:LONGEST] for each in encoded]
        lengths = np.array([len(row) for row in rows], np.int64)
        tokens = np.zeros((len(rows), int(lengths.max())), np.int64)
        for index, row in enumerate(rows):
            tokens[index, : len(row)] = row
        (probabilities,) = self._session.run(["probabilities"], {"tokens": tokens, "lengths": lengths})
        scores: list[float] = probabilities[:, 1].tolist()
        return scores
