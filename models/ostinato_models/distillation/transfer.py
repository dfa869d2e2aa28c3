"""The transfer set: texts for the teacher to label, made from training phrases and words.

Augmentation follows Tang et al. (2019), "Distilling task-specific knowledge from BERT into simple
neural networks": a small network needs more text than the labelled set has, and need not be told
by people what the teacher can tell. Phrases joined by a conjunction are added, since SST's phrases
are mostly shorter than the sentences to be judged.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

CONJUNCTIONS = (", but", ", and", ", yet", "and", "but", "--", ", though", ", even if", ".", "while")
FRAMES = ("{}", "a {} film", "the film is {}")
SHORTEST, LONGEST = 3, 14
"""Words of a phrase that is joined to another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSettings:
    """How many texts of each kind are made.

    Attributes:
        joined: two phrases with a conjunction between them.
        altered: a phrase with some words replaced by others, or left out.
        share_altered: chance that a word of an altered phrase changes.
        frames: also put words of the list into short frames.
    """

    joined: int = 40_000
    altered: int = 25_000
    share_altered: float = 0.2
    frames: bool = True


def transfer_texts(phrases: Sequence[str], words: Sequence[str], settings: TransferSettings, seed: int) -> list[str]:
    """Make the transfer set.

    Args:
        phrases: the training phrases, which come first in the result.
        words: a vocabulary, for the frames; empty for none.
        settings: how many of each kind.
        seed: decides every random number.

    Returns:
        Different texts.
    """
    source = random.Random(seed)
    texts = dict.fromkeys(phrases)
    parts = [phrase for phrase in phrases if SHORTEST <= len(phrase.split()) <= LONGEST]
    if parts:
        for _ in range(settings.joined):
            first, second = source.choice(parts), source.choice(parts)
            texts[f"{first} {source.choice(CONJUNCTIONS)} {second}"] = None
    long = [phrase for phrase in phrases if len(phrase.split()) >= SHORTEST]
    if long:
        # Drawing a word from the running text draws it by its frequency.
        running = [word for phrase in long for word in phrase.split()]
        for _ in range(settings.altered):
            texts[_alter(source.choice(long), running, settings.share_altered, source)] = None
    if settings.frames:
        texts.update(dict.fromkeys(source.choice(FRAMES).format(word) for word in words))
    texts.pop("", None)
    return list(texts)


def _alter(phrase: str, running: Sequence[str], share: float, source: random.Random) -> str:
    """Replace or drop each word with chance `share`, half of the time each."""
    kept: list[str] = []
    for word in phrase.split():
        chance = source.random()
        if chance >= share:
            kept.append(word)
        elif chance >= share / 2:
            kept.append(source.choice(running))
    return " ".join(kept)
