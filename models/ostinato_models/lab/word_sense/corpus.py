"""The text that the encoders read: sentences without labels."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ostinato_models.data.corpora import find_data_set
from ostinato_models.data.examples import TranslationCorpus
from ostinato_models.errors import ConfigurationError
from ostinato_models.lab.word_sense.contexts import SIDES, WORD, examples
from ostinato_models.lab.word_sense.settings import WordSenseSettings
from ostinato_models.lab.word_sense.themes import generate

Sentence: TypeAlias = tuple[int, ...]

PADDING, UNKNOWN, BOUNDARY = 0, 1, 2
"""Reserved ids; the boundary stands before and after every sentence."""
RESERVED = 3

FEWEST_WORDS, MOST_WORDS = 4, 20
HELD_OUT = 20
"""One sentence in this many is not learned from, and tells how well the encoders predict."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Sentences as ids.

    Attributes:
        sentences: to learn from; a tuple of ids each, with a boundary at both ends.
        held_out: others of the same kind.
        vocabulary: id of every word that is told apart.
        occurrences: sentences with "bank" to learn from.
    """

    sentences: tuple[Sentence, ...]
    held_out: tuple[Sentence, ...]
    vocabulary: Mapping[str, int]
    occurrences: int


def load_corpus(settings: WordSenseSettings, data_dir: Path) -> Corpus:
    """Generate and read the sentences that `settings` asks for; a constructed sentence is never among them."""
    source = random.Random(settings.seed)
    constructed = {example.words for side in SIDES for example in examples(side)}
    generated = [words for words in map(split_words, generate(settings.generated, settings.seed)) if _fits(words)]
    read = [words for words in map(split_words, _read(settings, data_dir)) if _fits(words)]
    source.shuffle(read)
    texts = [words for words in (*generated, *read[: settings.sentences]) if tuple(words) not in constructed]
    source.shuffle(texts)
    counts = Counter(word for words in texts for word in words)
    kept = [word for word, _ in counts.most_common(settings.vocabulary_size - RESERVED)]
    vocabulary = {word: number for number, word in enumerate(kept, RESERVED)}
    aside, learned = texts[: len(texts) // HELD_OUT], texts[len(texts) // HELD_OUT :]
    return Corpus(
        tuple(encode(words, vocabulary) for words in learned),
        tuple(encode(words, vocabulary) for words in aside),
        vocabulary,
        sum(WORD in words for words in learned),
    )


def encode(words: Sequence[str], vocabulary: Mapping[str, int]) -> Sentence:
    """The ids of a sentence, with a boundary at both ends."""
    return (BOUNDARY, *(vocabulary.get(word, UNKNOWN) for word in words), BOUNDARY)


def split_words(text: str) -> list[str]:
    """Lower-case words and punctuation marks."""
    return re.findall(r"[a-z']+|[0-9]+|[.,?!]", text.lower())


def _fits(words: Sequence[str]) -> bool:
    return FEWEST_WORDS <= len(words) <= MOST_WORDS


def _read(settings: WordSenseSettings, data_dir: Path) -> list[str]:
    """Every English sentence of the data set, once; none where there is no data set to read."""
    if not settings.corpus:
        return []
    corpus = find_data_set(settings.corpus).load(data_dir)
    if not isinstance(corpus, TranslationCorpus) or corpus.source_language != "en":
        raise ConfigurationError("corpus", settings.corpus, "a translation data set from English")
    return list(dict.fromkeys(pair.source for pair in corpus.train))
