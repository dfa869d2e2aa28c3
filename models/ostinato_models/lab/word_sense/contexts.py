"""Constructed sentences with "bank": one word decides the sense, before "bank" or after it, and all others are shared.

A deciding word comes in pairs, one a sense. The two sentences of a minimal pair differ in that word alone, so that
where it comes after "bank" they are the same words up to and including "bank".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

Sense: TypeAlias = Literal["river", "money"]
Side: TypeAlias = Literal["left", "right"]
SENSES: tuple[Sense, Sense] = ("river", "money")
SIDES: tuple[Side, Side] = ("left", "right")
WORD = "bank"

DECIDING: tuple[tuple[str, str], ...] = (
    ("water", "money"),
    ("boat", "loan"),
    ("fish", "account"),
    ("stream", "cheque"),
    ("lake", "cash"),
    ("ferry", "debt"),
    ("duck", "coin"),
    ("swimmer", "cashier"),
    ("fisherman", "customer"),
    ("raft", "mortgage"),
    ("oar", "fee"),
    ("frog", "dollar"),
)
"""Pairs of words of which a sentence has one; a probe is tested on pairs that it was not trained on."""

FRAMES: Mapping[Side, tuple[str, ...]] = MappingProxyType(
    {
        "left": (
            "we talked about the {} near the bank yesterday",
            "she found the {} near the bank again",
            "he left the {} near the bank last week",
            "they saw the {} near the bank on sunday",
            "i asked about the {} near the bank before noon",
            "because of the {} we walked to the bank",
            "with the {} she came back to the bank",
            "my brother saw the {} and the bank",
            "tom looked at the {} and the bank again",
            "you thought of the {} and the bank yesterday",
        ),
        "right": (
            "we walked to the bank because of the {}",
            "she came back to the bank with the {}",
            "he stayed near the bank because of the {}",
            "they looked at the bank and the {}",
            "i asked about the bank and the {}",
            "my father saw the bank near the {}",
            "we left the bank because of the {}",
            "the old man talked about the bank and the {}",
            "tom found the bank near the {}",
            "you thought of the bank with the {}",
        ),
    }
)
"""Sentences with a place for the deciding word, by the side of "bank" that it is on."""


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence with the word in one sense.

    Attributes:
        words: lower case, with the full stop at the end.
        position: of "bank" in `words`.
        decided: of the deciding word.
        sense: what "bank" means here.
        cue: number of the pair of deciding words.
        frame: number of the frame; the two senses of a cue in one frame are a minimal pair.
    """

    words: tuple[str, ...]
    position: int
    decided: int
    sense: Sense
    cue: int
    frame: int


def examples(side: Side) -> tuple[Example, ...]:
    """Every sentence decided on `side`, the two members of a minimal pair next to each other."""
    return tuple(
        _example(frame, word, sense, cue, number)
        for cue, pair in enumerate(DECIDING)
        for number, frame in enumerate(FRAMES[side])
        for sense, word in zip(SENSES, pair, strict=True)
    )


def _example(frame: str, word: str, sense: Sense, cue: int, number: int) -> Example:
    places = frame.split()
    words = (*(word if place == "{}" else place for place in places), ".")
    return Example(words, places.index(WORD), places.index("{}"), sense, cue, number)
