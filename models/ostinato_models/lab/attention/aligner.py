"""A lexical aligner: IBM Model 1, which knows words and nothing of their order.

Brown, Della Pietra, Della Pietra & Mercer (1993), "The mathematics of statistical machine
translation", section 4: every target word comes from one source word, or from none, each equally
likely beforehand; expectation maximisation finds the table of translation probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Words: TypeAlias = Sequence[str]
Floats: TypeAlias = NDArray[np.float64]

NULL = ""
"""The source word of target words that translate none."""


@dataclass(frozen=True, slots=True)
class LexicalAligner:
    """Translation probabilities ``t(target | source)``.

    Attributes:
        probabilities: of every pair of words seen in one sentence pair; those of a source word sum to 1.
        likelihoods: mean log-likelihood of a target word after every iteration, in nats, sentence lengths aside.
    """

    probabilities: dict[tuple[str, str], float]
    likelihoods: tuple[float, ...]

    def align(self, source: Words, target: Words) -> list[int | None]:
        """The place of every target word's likeliest source word; none where it is likelier to come from no word."""
        return [self._place(source, word) for word in target]

    def _place(self, source: Words, word: str) -> int | None:
        chances = [self.probabilities.get((other, word), 0.0) for other in source]
        best = int(np.argmax(chances))
        return best if chances[best] > self.probabilities.get((NULL, word), 0.0) else None


def train_aligner(pairs: Sequence[tuple[Words, Words]], iterations: int) -> LexicalAligner:
    """Learn the table from sentence pairs, a uniform one being the start.

    Args:
        pairs: source and target words; pairs with an empty side are left out.
        iterations: rounds of expectation maximisation.
    """
    sources: dict[str, int] = {NULL: 0}
    targets: dict[str, int] = {}
    links: list[NDArray[np.int64]] = []  # a row per target word and possible source word: source, target, occurrence
    occurrence = 0
    for source, target in pairs:
        if not source or not target:
            continue
        left = np.array([0, *(sources.setdefault(word, len(sources)) for word in source)])
        right = np.array([targets.setdefault(word, len(targets)) for word in target])
        rows = np.empty((len(right), len(left), 3), np.int64)
        rows[..., 0] = left
        rows[..., 1] = right[:, None]
        rows[..., 2] = np.arange(occurrence, occurrence + len(right))[:, None]
        occurrence += len(right)
        links.append(rows.reshape(-1, 3))
    linked = np.concatenate(links)
    keys, entry = np.unique(linked[:, 0] * len(targets) + linked[:, 1], return_inverse=True)
    entry_source = keys // len(targets)
    choices = np.bincount(linked[:, 2])  # source words, the null word included, that each occurrence may come from
    table: Floats = (1.0 / np.bincount(entry_source))[entry_source]
    likelihoods: list[float] = []
    for _ in range(iterations):
        chances = table[entry]
        totals = np.bincount(linked[:, 2], chances)  # of every occurrence of a target word
        counts = np.bincount(entry, chances / totals[linked[:, 2]])
        table = counts / np.bincount(entry_source, counts)[entry_source]
        totals = np.bincount(linked[:, 2], table[entry])
        likelihoods.append(float(np.mean(np.log(totals / choices))))
    source_words, target_words = list(sources), list(targets)
    named = {
        (source_words[key // len(targets)], target_words[key % len(targets)]): chance
        for key, chance in zip(keys.tolist(), table.tolist(), strict=True)
    }
    return LexicalAligner(named, tuple(likelihoods))
