"""The ways in which people type a sentence that a corpus has in one: for training on them and for measuring them.

A *variant* is a function of the sentence alone, so that a test set's variants are the same everywhere. Training draws
from the same functions, and combines them.
"""

from __future__ import annotations

import html
import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from ostinato_models.data.examples import SentencePair

Variant = Callable[[str], str]

_TOKENIZED = tuple(
    (re.compile(pattern), content)
    for pattern, content in (
        (r"-lrb- ?", "("),
        (r" ?-rrb-", ")"),
        (r"`` ?|` ?", '"'),
        (r" ''", '"'),
        (r" (n't|'(?:s|re|ve|ll|d|m))\b", r"\1"),
        (r" ([.,!?;:%])", r"\1"),
    )
)
_LAST_VOWEL = re.compile(r"([aeiouy])(?=[^aeiouy]*$)", re.IGNORECASE)
_FINAL_MARKS = re.compile(r"[\s.!?…]+$")
_MARKS = re.compile(r"\s*([.!?]+)$")
CAPITALS_SHARE, LATE_CAPITALS_SHARE = 0.16, 0.32
"""Of the typed texts, those in capitals, early and late in a training.

A word in capitals shares no token with the word that the network knows, so this form is learnt last and most slowly.
"""

JOINED_SHARE = 0.06
"""Of the typed sources, those to which another sentence is added."""

EMOTICONS = (":)", ":-)", ";)", ":(", ":D", "<3", "xD", "^^")


def without_final_mark(text: str) -> str:
    """Leave out what ends the sentence; a text of nothing else is kept."""
    return _FINAL_MARKS.sub("", text) or text


def lower_initial(text: str) -> str:
    """Begin with a small letter."""
    return text[:1].lower() + text[1:]


def lower(text: str) -> str:
    """Small letters everywhere."""
    return text.lower()


def capitals(text: str) -> str:
    """Capitals everywhere."""
    return text.upper()


def doubled_marks(text: str) -> str:
    """Three of the mark that ends the sentence: ``!!!``, ``???``, ``...``."""
    return _MARKS.sub(lambda found: found[1][-1] * 3, text)


def without_apostrophes(text: str) -> str:
    """``dont`` for ``don't``."""
    return text.replace("'", "").replace("\u2019", "")


def extra_spaces(text: str) -> str:
    """A space around the text and before its final mark, two between the words."""
    spaced = _MARKS.sub(r" \1", text).replace(" ", "  ")
    return f" {spaced} "


def typographic(text: str) -> str:
    """Curly quotes and apostrophes, no-break spaces, as word processors write them."""
    opened = re.sub(r'(^|\s)"', "\\1\u201c", text)
    return opened.replace('"', "\u201d").replace("'", "\u2019").replace(" ", "\u00a0", 1)


def hurried(text: str) -> str:
    """Small letters, no apostrophes, no final mark."""
    return lower(without_apostrophes(without_final_mark(text)))


def _of_natural(text: str, variant: Variant) -> str:
    return variant(natural(text))


def natural(text: str) -> str:
    """Write SST-2's tokenized text (``ca n't ... -lrb- really -rrb- .``) as people do."""
    for pattern, content in _TOKENIZED:
        text = pattern.sub(content, text)
    return text


def elongated(text: str) -> str:
    """Draw out the last vowel of the longest word: ``wonderfuuuul``."""
    word = max(text.split(), key=len)
    return text.replace(word, _LAST_VOWEL.sub(lambda found: found[1] * 4, word), 1)


def scraped(text: str) -> str:
    """What a scraper leaves of a page: a tag, a line break and entities."""
    return f"<p>{html.escape(text)}<br /></p>".replace(" ", "&nbsp;", 1)


def with_emoticon(text: str) -> str:
    """Add an emoticon that tells nothing, since glad and sad ones take turns by the text's length."""
    return f"{text} {(':)', ':(')[len(text) % 2]}"


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "no-final-mark": without_final_mark,
        "lower-initial": lower_initial,
        "lower": lower,
        "capitals": capitals,
        "doubled-marks": doubled_marks,
        "no-apostrophes": without_apostrophes,
        "extra-spaces": extra_spaces,
        "typographic": typographic,
        "hurried": hurried,
    }
)
"""Ways to type a sentence, by name: what `ostinato evaluate --variant` measures."""

REVIEW_VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        **{name: partial(_of_natural, variant=variant) for name, variant in VARIANTS.items()},
        "natural": natural,
        "elongated": partial(_of_natural, variant=elongated),
        "scraped": partial(_of_natural, variant=scraped),
        "emoticon": partial(_of_natural, variant=with_emoticon),
    }
)
"""Ways to type a text that SST-2 has in tokens."""


def typed(text: str, source: random.Random, capitals_share: float = CAPITALS_SHARE) -> str:
    """Type a sentence by one or several variants at once; now and then that leaves it as it is."""
    if source.random() < 0.6:
        text = without_final_mark(text)
    elif source.random() < 0.3:
        text = _MARKS.sub(r" \1", text)
    if source.random() < capitals_share:
        text = capitals(text)
    elif source.random() < 0.5:
        text = lower(text)
    elif source.random() < 0.4:
        text = lower_initial(text)
    if source.random() < 0.3:
        text = without_apostrophes(text)
    if source.random() < 0.03:
        text = f"{text} {source.choice(EMOTICONS)}"
    return text


def typed_review(text: str, source: random.Random) -> str:
    """Type a tokenized text some way, as `typed` does, and now and then as a message or a scraped page has it."""
    text = natural(text)
    chance = source.random()
    if chance < 0.12:
        words = text.split()
        word = source.choice(words)
        drawn = _LAST_VOWEL.sub(lambda found: found[1] * source.randint(2, 5), word)
        text = text.replace(word, drawn, 1)
    elif chance < 0.22:
        text = scraped(text)
    elif chance < 0.32:
        text = f"{text} {source.choice(EMOTICONS)}"
    return typed(text, source)


def typed_pairs(
    pairs: Sequence[SentencePair], share: float, seed: int, capitals_share: float = CAPITALS_SHARE
) -> list[SentencePair]:
    """Type a share of the sources some way, let some pairs follow each other in one text, and change currencies.

    The target stays as the corpus has it: however a sentence was typed, its translation is written properly.

    Args:
        pairs: sentences and their translations.
        share: chance that a source is typed some way, in [0, 1].
        seed: decides every random number.
        capitals_share: chance that a typed source is in capitals, in [0, 1].

    Returns:
        As many pairs as there were.
    """
    source = random.Random(seed)
    result: list[SentencePair] = []
    for pair in pairs:
        if source.random() >= share:
            result.append(pair)
            continue
        text, target = pair
        if source.random() < JOINED_SHARE:
            other = source.choice(pairs)
            text, target = f"{text} {other.source}", f"{target} {other.target}"
        if "$" in text and "$" in target:
            sign = source.choice("€£")
            text, target = text.replace("$", sign), target.replace("$", sign)
        result.append(SentencePair(typed(text, source, capitals_share), target))
    return result
