"""A small grammar of opinions, so that sentiment can be learnt with no data at all.

Every sentence has a known class by construction: a judgement, possibly negated, possibly turned
round by a second one after "but", in which case the second decides.
"""

from __future__ import annotations

import random

from ostinato_models.data.examples import NEGATIVE, POSITIVE, LabelledText, SentimentCorpus

SUBJECTS = (
    "the film", "the story", "the ending", "the acting", "this comedy", "the soundtrack",
    "the dialogue", "the camera work", "the second half", "her performance",
)  # fmt: skip
PRAISE = (
    "charming", "moving", "clever", "gripping", "beautiful", "funny", "fresh", "honest",
    "graceful", "superb",
)  # fmt: skip
BLAME = (
    "dull", "clumsy", "tedious", "hollow", "predictable", "shallow", "noisy", "lifeless",
    "confused", "dreadful",
)  # fmt: skip
DEGREES = ("", "very ", "really ", "quite ", "so ")
OPENINGS = ("", "honestly , ", "to my surprise , ", "all in all , ")
ENDINGS = (" .", " !", " from start to finish .", "")


def generate_sentiment(seed: int = 1, count: int = 2400) -> SentimentCorpus:
    """Write `count` different opinions: five sixths to train on, the rest to select and report on.

    Args:
        seed: decides every sentence.
        count: sentences in all, at least 12.
    """
    chance = random.Random(seed)
    rows: dict[LabelledText, None] = {}
    while len(rows) < count:
        rows[_opinion(chance)] = None
    texts = list(rows)
    held_out = count // 12
    return SentimentCorpus(
        "generated-sentiment",
        {},
        texts[2 * held_out :],
        texts[:held_out],
        texts[held_out : 2 * held_out],
    )


def _opinion(chance: random.Random) -> LabelledText:
    clause, label = _judgement(chance)
    if chance.random() < 0.3:
        other, label = _judgement(chance, NEGATIVE if label == POSITIVE else POSITIVE)
        clause = f"{clause} but {other}"
    return LabelledText(f"{chance.choice(OPENINGS)}{clause}{chance.choice(ENDINGS)}", label)


def _judgement(chance: random.Random, label: int | None = None) -> tuple[str, int]:
    """A clause that judges its subject, with the class `label` or one drawn at random."""
    if label is None:
        label = chance.choice((NEGATIVE, POSITIVE))
    subject = chance.choice(SUBJECTS)
    negated = chance.random() < 0.35
    praises = (label == POSITIVE) != negated
    adjective = chance.choice(PRAISE if praises else BLAME)
    verb = "is not" if negated else "is"
    return f"{subject} {verb} {chance.choice(DEGREES)}{adjective}", label
