"""Minimal pairs: two texts that differ in little and are of opposite classes, by a negation or a turn of speech.

They measure what a share of right answers on reviews hides: whether a classifier reads "not" and knows idioms, or adds
up words. No thing and no adjective of theirs is among those of `data/opinions.py`, which networks learn from.
"""

from __future__ import annotations

from ostinato_models.data.examples import NEGATIVE, POSITIVE, LabelledText

THINGS = ("museum", "blender", "sofa", "concert", "lecture", "haircut", "soup", "tent", "novel", "taxi", "garden")
GOOD = (
    "charming", "gripping", "spotless", "generous", "accurate", "roomy", "graceful", "witty", "heartfelt", "dazzling",
    "inspiring",
)  # fmt: skip
BAD = (
    "dull", "clumsy", "shoddy", "stingy", "inaccurate", "cramped", "greasy", "tedious", "smelly", "misleading",
    "dismal",
)  # fmt: skip
PAIRS = (
    # What is positive first; {g} praises, {b} blames.
    ("The {n} is {g}.", "The {n} is not {g}."),
    ("The {n} isn't {b} at all.", "The {n} is {b}."),
    ("I think the {n} is {g}.", "I don't think the {n} is {g}."),
    ("Everyone found the {n} {g}.", "Nobody found the {n} {g}."),
    ("The {n} is never {b}.", "The {n} is always {b}."),
    ("The {n} is remarkably {g}.", "The {n} is far from {g}."),
    ("The {n} is anything but {b}.", "The {n} is nothing but {b}."),
    ("I wouldn't call the {n} {b}.", "I would call the {n} {b}."),
    ("The {n} was {g} and still is.", "The {n} was {g} but no longer is."),
    ("There is something {g} about the {n}.", "There is nothing {g} about the {n}."),
    ("The {n} is as {g} as they promised.", "The {n} is not as {g} as they promised."),
    ("Not bad, this {n}.", "Not good, this {n}."),
    ("I can't recommend the {n} enough.", "I can't recommend the {n}."),
    ("You can't go wrong with this {n}.", "Everything goes wrong with this {n}."),
    ("The {n} couldn't be better.", "The {n} couldn't be worse."),
    ("I have no complaints about the {n}.", "I have nothing but complaints about the {n}."),
    ("The {n} did not let us down.", "The {n} did let us down."),
    ("I wouldn't change a thing about the {n}.", "I would change everything about the {n}."),
    ("I can't get enough of the {n}.", "I have had enough of the {n}."),
    ("The {n} leaves nothing to be desired.", "The {n} leaves a lot to be desired."),
)


def negation_pairs() -> list[LabelledText]:
    """220 pairs, the texts of a pair one after the other, the positive one first."""
    rows: list[LabelledText] = []
    for praised, blamed in PAIRS:
        for thing, good, bad in zip(THINGS, GOOD, BAD, strict=True):
            rows.append(LabelledText(praised.format(n=thing, g=good, b=bad), POSITIVE))
            rows.append(LabelledText(blamed.format(n=thing, g=good, b=bad), NEGATIVE))
    return rows
