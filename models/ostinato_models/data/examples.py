"""The shapes data takes once it is read: text, labelled texts, sentence pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

NEGATIVE, POSITIVE = 0, 1
"""The classes of a text, which are also the places of their logits."""


class LabelledText(NamedTuple):
    """A text and its class."""

    text: str
    label: int


class SoftlyLabelledText(NamedTuple):
    """A text and a teacher's judgement: the log-odds of positive, in nats."""

    text: str
    log_odds: float


class SentencePair(NamedTuple):
    """A sentence and one translation of it."""

    source: str
    target: str


class ReferencedSentence(NamedTuple):
    """A sentence and every known translation of it."""

    source: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CharacterCorpus:
    """A text for the character language model, split by position."""

    name: str
    files: dict[str, str]  # file name -> sha256; empty for text that ships with the program
    train: str
    valid: str


@dataclass(frozen=True, slots=True)
class SentimentCorpus:
    """Labelled texts: to learn from, to select on, to report on."""

    name: str
    files: dict[str, str]
    train: list[LabelledText]
    valid: list[LabelledText]
    test: list[LabelledText]


@dataclass(frozen=True, slots=True)
class TranslationCorpus:
    """Sentence pairs to learn from; sentences with all their references to select and report on.

    `phrases` are pairs of few words, of which corpora of sentences have few; they are learnt late.
    """

    name: str
    files: dict[str, str]
    source_language: str
    target_language: str
    train: list[SentencePair]
    valid: list[ReferencedSentence]
    test: list[ReferencedSentence]
    phrases: list[SentencePair] = field(default_factory=list)
