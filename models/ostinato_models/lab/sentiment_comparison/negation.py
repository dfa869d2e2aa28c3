"""Negation: which texts have it, and sentences of our own in pairs that differ by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ostinato_models.data.examples import NEGATIVE, POSITIVE, LabelledText
from ostinato_models.lab.sentiment_comparison.settings import CorpusName

NEGATIONS = frozenset(
    (
        "not",
        "n't",
        "no",
        "never",
        "nor",
        "neither",
        "none",
        "nothing",
        "nobody",
        "without",
        "hardly",
        "barely",
        "cannot",
    )
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sentences of opposite classes.

    Attributes:
        plain: says it outright.
        negated: says the opposite by a word of negation.
    """

    plain: LabelledText
    negated: LabelledText


def is_negated(text: str) -> bool:
    """Whether a text, its words apart, has a word of negation."""
    return not NEGATIONS.isdisjoint(text.lower().split())


def _praise(plain: str, negated: str) -> Pair:
    """A pair whose plain sentence praises."""
    return Pair(LabelledText(plain, POSITIVE), LabelledText(negated, NEGATIVE))


def _blame(plain: str, negated: str) -> Pair:
    """A pair whose plain sentence blames."""
    return Pair(LabelledText(plain, NEGATIVE), LabelledText(negated, POSITIVE))


PAIRS: Mapping[CorpusName, tuple[Pair, ...]] = MappingProxyType(
    {
        # In the grammar's own words, which are all that a model of it knows.
        "generated-sentiment": (
            _praise("the film is charming .", "the film is not charming ."),
            _blame("the ending is dull .", "the ending is not dull ."),
            _praise("her performance is really superb .", "her performance is not really superb ."),
            _blame("the dialogue is very clumsy !", "the dialogue is not very clumsy !"),
            _praise("all in all , the story is so moving !", "all in all , the story is not so moving !"),
            _blame("the film is clever but the ending is dull .", "the film is clever but the ending is not dull ."),
        ),
        # Spelled as the corpus spells, words and signs apart.
        "sst2": (
            _praise("the story is good .", "the story is not good ."),
            _blame("the acting is bad .", "the acting is not bad ."),
            _praise("i would recommend it .", "i would n't recommend it ."),
            _blame("it is always boring .", "it is never boring ."),
            _praise("the comedy has charm .", "the comedy is without charm ."),
            _blame("everything about it feels dull .", "nothing about it feels dull ."),
            _praise("everybody will enjoy the ending .", "nobody will enjoy the ending ."),
            _praise("every joke in the script is funny .", "not one joke in the script is funny ."),
            _blame("the second half is simply tedious .", "the second half is not at all tedious ."),
            _praise("i think the songs are beautiful .", "i do n't think the songs are beautiful ."),
        ),
    }
)
