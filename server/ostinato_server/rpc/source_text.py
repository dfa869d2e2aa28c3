"""The text of a translation request, as the sentences that the model reads."""

from __future__ import annotations

from dataclasses import dataclass

from ostinato_bundle.sentences import Sentence, separators, split_sentences
from ostinato_server.errors import InvalidArgument
from ostinato_server.repository.model import LoadedModel
from ostinato_server.rpc import fields

MAX_SENTENCES = 256
"""Sentences of one request."""

_SHOWN_WORDS, _SHOWN_CHARACTERS = 5, 40
"""How much of a sentence an error repeats."""


@dataclass(frozen=True, slots=True)
class SourceSentence:
    """A sentence of a request.

    Attributes:
        place: Where it stands in the text.
        tokens: Its token ids, at least one.
        separator: What the translation has before it.
    """

    place: Sentence
    tokens: tuple[int, ...]
    separator: str


@dataclass(frozen=True, slots=True)
class SourceText:
    """A text to translate.

    Attributes:
        sentences: Its sentences, at least one.
        trailing: What the translation has after them.
    """

    sentences: tuple[SourceSentence, ...]
    trailing: str


def read_source(text: str, model: LoadedModel) -> SourceText:
    """The sentences of a text.

    Raises:
        InvalidArgument: The text is empty, too long or has too many sentences, or a sentence is too long or beyond the
            model's vocabulary.
    """
    if not text:
        raise InvalidArgument("text", "must not be empty")
    if not text.strip():
        raise InvalidArgument("text", "must hold more than white space")
    fields.characters("text", text, model)
    places = split_sentences(text)
    if len(places) > MAX_SENTENCES:
        raise InvalidArgument(
            "text", f"must have at most {MAX_SENTENCES} sentences, not {len(places)}; send it in several requests"
        )
    found: list[tuple[Sentence, tuple[int, ...]]] = []
    for number, place in enumerate(places, 1):
        sentence = text[place.start : place.end]
        fields.readable("text", sentence, model)
        tokens = model.codec.encode(sentence)
        most = model.limits.max_input_tokens
        if len(tokens) > most:
            raise InvalidArgument(
                "text",
                f"sentence {number} ({_beginning(sentence)!r}) must have at most {most} tokens, not {len(tokens)} "
                f"(model {model.name}); divide it by a full stop or a line break",
            )
        if tokens:  # the tokenizer may drop what looks like a sentence
            found.append((place, tuple(tokens)))
    if not found:
        raise InvalidArgument("text", f"{_beginning(text)!r} has no letter and no digit, so nothing to translate")
    *before, trailing = separators(text, [place for place, _ in found])
    return SourceText(
        tuple(SourceSentence(place, tokens, gap) for (place, tokens), gap in zip(found, before, strict=True)), trailing
    )


def _beginning(text: str) -> str:
    """The first words of a text."""
    words = text.split(None, _SHOWN_WORDS)
    shown = " ".join(words[:_SHOWN_WORDS])
    cut = len(words) > _SHOWN_WORDS or len(shown) > _SHOWN_CHARACTERS
    return f"{shown[:_SHOWN_CHARACTERS].rstrip()} …" if cut else shown
