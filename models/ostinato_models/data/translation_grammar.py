"""A small English-French grammar, so that translation can be learnt with no data at all.

Sentences are built in both languages at once, with what makes French more than a word list:
gender and number agree across article, noun and adjective, most adjectives follow their noun,
the article elides before a vowel, and negation goes around the verb.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from ostinato_models.data.examples import ReferencedSentence, SentencePair, TranslationCorpus


class Noun(NamedTuple):
    """A noun; both plurals add an s."""

    english: str
    french: str
    feminine: bool


class Adjective(NamedTuple):
    """An adjective with its French forms; plurals add an s."""

    english: str
    masculine: str
    feminine: str
    before: bool = False  # whether French puts it before the noun


class Subject(NamedTuple):
    """A pronoun; `person` picks the verb's form."""

    english: str
    french: str
    person: int


class Verb(NamedTuple):
    """A verb in the present: English base, and French forms for je, il, nous, ils."""

    english: str
    french: tuple[str, str, str, str]


NOUNS = (
    Noun("cat", "chat", False), Noun("dog", "chien", False), Noun("book", "livre", False),
    Noun("garden", "jardin", False), Noun("letter", "lettre", True), Noun("house", "maison", True),
    Noun("car", "voiture", True), Noun("tree", "arbre", False), Noun("song", "chanson", True),
    Noun("door", "porte", True), Noun("school", "\u00e9cole", True), Noun("friend", "ami", False),
)  # fmt: skip
ADJECTIVES = (
    Adjective("black", "noir", "noire"), Adjective("green", "vert", "verte"),
    Adjective("small", "petit", "petite", before=True), Adjective("red", "rouge", "rouge"),
    Adjective("big", "grand", "grande", before=True), Adjective("strange", "\u00e9trange", "\u00e9trange"),
    Adjective("young", "jeune", "jeune", before=True), Adjective("perfect", "parfait", "parfaite"),
)  # fmt: skip
SUBJECTS = (
    Subject("I", "je", 0), Subject("he", "il", 1), Subject("she", "elle", 1), Subject("we", "nous", 2),
    Subject("they", "ils", 3),
)  # fmt: skip
VERBS = (
    Verb("see", ("vois", "voit", "voyons", "voient")),
    Verb("love", ("aime", "aime", "aimons", "aiment")),
    Verb("find", ("trouve", "trouve", "trouvons", "trouvent")),
    Verb("look for", ("cherche", "cherche", "cherchons", "cherchent")),
    Verb("draw", ("dessine", "dessine", "dessinons", "dessinent")),
    Verb("hear", ("entends", "entend", "entendons", "entendent")),
)
VOWELS = "aeiou\u00e9"


def generate_translation(seed: int = 1, count: int = 3000) -> TranslationCorpus:
    """Write `count` different pairs: five sixths to train on, the rest to select and report on.

    Args:
        seed: decides every sentence.
        count: pairs in all, at least 12.
    """
    chance = random.Random(seed)
    pairs: dict[SentencePair, None] = {}
    while len(pairs) < count:
        pairs[_sentence(chance)] = None
    rows = list(pairs)
    held_out = count // 12
    valid, test = rows[:held_out], rows[held_out : 2 * held_out]
    return TranslationCorpus(
        "generated-translation",
        {},
        "en",
        "fr",
        rows[2 * held_out :],
        [ReferencedSentence(pair.source, (pair.target,)) for pair in valid],
        [ReferencedSentence(pair.source, (pair.target,)) for pair in test],
    )


def _sentence(chance: random.Random) -> SentencePair:
    subject, verb = chance.choice(SUBJECTS), chance.choice(VERBS)
    negated = chance.random() < 0.3
    english_object, french_object = _object(chance)
    third = subject.person == 1
    if negated:
        english_verb = f"{'does' if third else 'do'} not {verb.english}"
    else:
        first, *rest = verb.english.split()
        english_verb = " ".join((f"{first}s" if third else first, *rest))
    french_verb = verb.french[subject.person]
    if negated:
        french_verb = f"{_elide('ne', french_verb)} pas"
    clause = _elide(subject.french, french_verb) if subject.french == "je" else f"{subject.french} {french_verb}"
    english = f"{subject.english} {english_verb} {english_object}."
    french = f"{clause} {french_object}."
    return SentencePair(english[0].upper() + english[1:], french[0].upper() + french[1:])


def _object(chance: random.Random) -> tuple[str, str]:
    """A noun phrase in both languages."""
    noun, plural = chance.choice(NOUNS), chance.random() < 0.35
    mark = "s" if plural else ""
    adjective = chance.choice(ADJECTIVES) if chance.random() < 0.6 else None
    english, french = noun.english + mark, noun.french + mark
    if adjective is not None:
        english = f"{adjective.english} {english}"
        form = (adjective.feminine if noun.feminine else adjective.masculine) + mark
        french = f"{form} {french}" if adjective.before else f"{french} {form}"
    if plural:
        return f"the {english}", f"les {french}"
    return f"the {english}", _elide("la" if noun.feminine else "le", french)


def _elide(word: str, following: str) -> str:
    """Join two words, dropping the first one's vowel before another vowel."""
    return f"{word[:-1]}'{following}" if following[0] in VOWELS else f"{word} {following}"
