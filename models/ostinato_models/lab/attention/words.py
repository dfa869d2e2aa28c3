"""Words of a sentence, and which tokens each of them has."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Segmented:
    """A sentence as tokens and as words; punctuation marks are words too.

    Attributes:
        ids: its tokens, S of them.
        words: its words in lower case, W of them.
        membership: 1 where a token belongs to a word, (W, S).
    """

    ids: list[int]
    words: tuple[str, ...]
    membership: NDArray[np.float32]


def segment(tokenizer: Tokenizer, text: str) -> Segmented:
    """Tokenize `text`; a word is what the tokenizer never joins with its neighbours."""
    encoding = tokenizer.encode(text)
    groups = [list(group) for _, group in groupby(range(len(encoding.ids)), key=lambda place: encoding.word_ids[place])]
    membership = np.zeros((len(groups), len(encoding.ids)), np.float32)
    words: list[str] = []
    for row, places in enumerate(groups):
        membership[row, places] = 1.0
        start, end = encoding.offsets[places[0]][0], encoding.offsets[places[-1]][1]
        words.append(text[start:end].strip().lower())
    return Segmented(encoding.ids, tuple(words), membership)


def word_attention(weights: NDArray[np.float32], source: Segmented, target: Segmented) -> NDArray[np.float32]:
    """Attention between words from attention between tokens.

    A source word gets the sum of its tokens' weights, a target word the mean over its own tokens.

    Args:
        weights: a row per target token, a column per source token, (T, S).
        source: the source sentence.
        target: the target sentence.

    Returns:
        (target words, source words); rows sum to 1 as those of `weights` do.
    """
    mean = target.membership / target.membership.sum(axis=1, keepdims=True)
    attended: NDArray[np.float32] = mean @ weights @ source.membership.T
    return attended
