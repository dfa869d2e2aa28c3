"""A small grammar: sentences that keep to a theme, of which "bank" belongs to two.

A theme has nouns and verbs of its own, and shares verbs and all small words with the others. What a sentence is about
shows only in which words come together, as in real text, and no sentence says which of the two words "bank" is.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType

from ostinato_models.lab.word_sense.contexts import DECIDING, WORD

NOUNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "river": (*(river for river, _ in DECIDING), "shore", "bridge", "wave", "sail"),
        "money": (*(money for _, money in DECIDING), "price", "bill", "interest", "purse"),
        "kitchen": (
            *("bread", "soup", "knife", "oven", "table", "plate", "cook", "salt"),
            *("butter", "pan", "apple", "cake", "spoon", "kettle", "pepper", "onion"),
        ),
        "school": (
            *("teacher", "lesson", "book", "pupil", "pencil", "desk", "exam", "class"),
            *("map", "chalk", "page", "answer", "pen", "ruler", "essay", "poem"),
        ),
    }
)
VERBS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "river": ("rowed to", "swam to", "fished near", "sailed past"),
        "money": ("paid for", "borrowed from", "signed for", "owed"),
        "kitchen": ("cooked", "tasted", "washed", "cut"),
        "school": ("studied", "copied", "explained", "marked"),
    }
)
AMBIGUOUS = frozenset({"river", "money"})
"""Themes that have "bank" among their nouns."""
SHARE = 0.25
"""How often one of their nouns is "bank": often, since it is what the experiment is about."""
OWN_VERBS = 0.4
"""How often a verb is one of the theme's own."""

SUBJECTS = ("we", "she", "he", "they", "i", "you", "tom", "my brother", "my father", "the old man")
SHARED_VERBS = (
    *("talked about", "found", "left", "saw", "asked about", "looked at", "thought of"),
    *("walked to", "came back to", "stayed near"),
)
JOINTS = ("because of", "with", "and", "near")
TIMES = ("yesterday", "again", "last week", "on sunday", "before noon")


def generate(count: int, seed: int) -> list[str]:
    """Make `count` sentences; the seed decides them."""
    source = random.Random(seed)
    return [_sentence(source, source.choice(tuple(NOUNS))) for _ in range(count)]


def _sentence(source: random.Random, theme: str) -> str:
    """A sentence of one to five nouns of `theme`."""

    def noun() -> str:
        if theme in AMBIGUOUS and source.random() < SHARE:
            return f"the {WORD}"
        return f"the {source.choice(NOUNS[theme])}"

    def clause() -> str:
        verb = source.choice(VERBS[theme] if source.random() < OWN_VERBS else SHARED_VERBS)
        first = f"{source.choice(SUBJECTS)} {verb} {noun()}"
        return f"{first} {source.choice(JOINTS)} {noun()}" if source.random() < 0.7 else first

    shape = source.random()
    if shape < 0.2:
        text = f"{source.choice(('because of', 'with'))} {noun()} {clause()}"
    elif shape < 0.7:
        text = f"{clause()} {source.choice(('and', 'because', 'before'))} {clause()}"
    else:
        text = clause()
    return f"{text} {source.choice(TIMES)} ." if source.random() < 0.4 else f"{text} ."
