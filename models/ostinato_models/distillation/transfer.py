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

from ostinato_models.data.examples import POSITIVE, SoftlyLabelledText
from ostinato_models.data.opinions import write_opinions

CONJUNCTIONS = (", but", ", and", ", yet", "and", "but", "--", ", though", ", even if", ".", "while")
FRAMES = ("{}", "a {} film", "the film is {}")
CERTAIN = 4.0
"""Log-odds of a text whose class is known."""

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
        everyday: sentences that judge nothing in particular, most of them.
        mixed: two to four phrases, everyday sentences and opinions in one text: reviews say much that judges nothing.
        opinions: texts of a known class about products, places and people.
        documents: texts made of several of the others, for how long texts are scored.
    """

    joined: int = 60_000
    altered: int = 60_000
    share_altered: float = 0.2
    frames: bool = True
    everyday: int = 40_000
    mixed: int = 70_000
    opinions: int = 120_000
    documents: int = 3_000


def transfer_texts(
    phrases: Sequence[str], words: Sequence[str], everyday: Sequence[str], settings: TransferSettings, seed: int
) -> list[str]:
    """Make the part of the transfer set that the teacher labels.

    Args:
        phrases: the training phrases, which come first in the result.
        words: a vocabulary, for the frames; empty for none.
        everyday: sentences of another kind, of which `settings` says how many are drawn.
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
    different = list(dict.fromkeys(everyday))
    texts.update(dict.fromkeys(source.sample(different, min(settings.everyday, len(different)))))
    kinds = [kind for kind in (parts, different, [row.text for row in write_opinions(settings.mixed, seed)]) if kind]
    for _ in range(settings.mixed):
        chosen = [source.choice(source.choice(kinds)) for _ in range(source.randint(2, 4))]
        text = chosen[0]
        for part in chosen[1:]:
            link = "" if text[-1] in ".!?" else f" {source.choice(CONJUNCTIONS)}"
            text = f"{text}{link} {part}"
        texts[text] = None
    texts.pop("", None)
    return list(texts)


def known_opinions(count: int, seed: int) -> list[SoftlyLabelledText]:
    """Opinions whose class is known as they are made, so that no teacher is asked."""
    return [
        SoftlyLabelledText(text, CERTAIN if label == POSITIVE else -CERTAIN)
        for text, label in write_opinions(count, seed)
    ]


def documents(rows: Sequence[SoftlyLabelledText], count: int, seed: int) -> list[SoftlyLabelledText]:
    """Longer texts, each of 3 to 30 of `rows`, most of them of one mind; labelled by the mean of theirs."""
    source = random.Random(seed)
    usable = [row for row in rows if len(row.text.split()) >= SHORTEST and abs(row.log_odds) > 1.0]
    sides = [[row for row in usable if (row.log_odds > 0) == positive] for positive in (False, True)]
    made: list[SoftlyLabelledText] = []
    while all(sides) and len(made) < count:
        side = source.randrange(2)
        agreeing = source.uniform(0.65, 1.0)
        parts = [
            source.choice(sides[side if source.random() < agreeing else 1 - side])
            for _ in range(source.randint(3, source.choice((6, 12, 30))))
        ]
        text = " ".join(part.text if part.text[-1] in ".!?" else f"{part.text} ." for part in parts)
        made.append(SoftlyLabelledText(text, sum(part.log_odds for part in parts) / len(parts)))
    return made


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
