"""What can be counted in a set of texts: real words, variety, repetition."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ostinato_models.lab.sampling.writing import Written

LONGEST_GRAM = 3
REPEATED_WORDS = 4
"""Length of the word sequences in which repetition is counted."""

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_CUT_OFF = re.compile(r"[\w']+\Z")


@dataclass(frozen=True, slots=True)
class Measures:
    """What was counted; a share of nothing is 0.

    Attributes:
        perplexity: of a character under the model's own distribution, the exponential of its mean surprise.
        real_words: share of words that occur in the training text.
        distinct: share of different ones among all sequences of 1, 2, 3 words (Li et al., *A diversity-promoting
            objective function for neural conversation models*, NAACL 2016).
        repetition: share of four-word sequences that the same text had before (Welleck et al., *Neural text
            generation with unlikelihood training*, ICLR 2020).
        words: how many there are.
    """

    perplexity: float
    real_words: float
    distinct: tuple[float, float, float]
    repetition: float
    words: int


def measure(written: Written, vocabulary: frozenset[str]) -> Measures:
    """Count in the texts of `written`; sequences of words do not go from one text into the next."""
    texts = [whole_words(text) for text in written.texts]
    words = [word for text in texts for word in text]
    one, two, three = (_distinct([list(grams(text, length)) for text in texts]) for length in (1, 2, LONGEST_GRAM))
    sequences = [list(grams(text, REPEATED_WORDS)) for text in texts]
    repeated = sum(len(each) - len(set(each)) for each in sequences)
    return Measures(
        perplexity=math.exp(written.nats),
        real_words=_share(sum(word in vocabulary for word in words), len(words)),
        distinct=(one, two, three),
        repetition=_share(repeated, sum(map(len, sequences))),
        words=len(words),
    )


def split_words(text: str) -> list[str]:
    """Runs of letters, with apostrophes inside, in lower case."""
    return [match.group().lower() for match in _WORD.finditer(text)]


def whole_words(text: str) -> list[str]:
    """Words of a text whose end is arbitrary: a word that the end may have cut is left out."""
    return split_words(_CUT_OFF.sub("", text))


def grams(words: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    """Every sequence of `length` neighbours."""
    return zip(*(words[offset:] for offset in range(length)), strict=False)


def _distinct(sequences: Sequence[Sequence[tuple[str, ...]]]) -> float:
    return _share(len({gram for each in sequences for gram in each}), sum(map(len, sequences)))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
