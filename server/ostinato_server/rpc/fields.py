"""Checks of request fields, each against a limit that the error then names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import grpc

from ostinato_server.engine.admission import Admission
from ostinato_server.errors import InvalidArgument
from ostinato_server.repository.model import LoadedModel


def number(field: str, value: float, least: float, most: float) -> float:
    """A finite number between two limits, both allowed.

    Raises:
        InvalidArgument: It is not.
    """
    if not math.isfinite(value) or not least <= value <= most:
        raise InvalidArgument(field, f"must be between {plain(least)} and {plain(most)}, not {plain(value)}")
    return value


def plain(value: float) -> str:
    """A number as a person would write it, exact enough to tell any two floats of a request apart."""
    return str(value) if isinstance(value, int) else f"{value:.9g}"


@contextmanager
def within(message: str) -> Iterator[None]:
    """A scope whose errors name fields by their place in a message that holds the one being checked."""
    try:
        yield
    except InvalidArgument as error:
        raise InvalidArgument(f"{message}.{error.field}", error.description) from None


def words(field: str, text: str, model: LoadedModel) -> list[int]:
    """The tokens of a text that must say something, and keeps to the model's limits.

    Raises:
        InvalidArgument: The text is empty, blank or too long.
    """
    if text and not text.strip():
        raise InvalidArgument(field, "must hold more than white space")
    return text_tokens(field, text, model)


def prompt_tokens(field: str, text: str, model: LoadedModel) -> list[int]:
    """The tokens of a prompt. An empty one starts a text: from the model's start token, else from a line break.

    The engine puts the start token before every text that begins, so here it is not among the tokens.

    Raises:
        InvalidArgument: The text is too long or beyond the model's vocabulary, or it is empty and the model has nothing
            to start a text from.
    """
    if text:
        return text_tokens(field, text, model)
    if model.manifest.tokenizer.start_id is not None:
        return []
    codec = model.codec
    tokens = [] if codec.missing("\n") else codec.encode("\n")
    if codec.unknown(tokens) or "".join(map(codec.piece, tokens)).strip(" ") != "\n":
        raise InvalidArgument(
            field,
            f"must not be empty: model {model.name} has neither a start token nor a line break in its vocabulary to "
            "start a text from; give at least one character",
        )
    return tokens


def text_tokens(field: str, text: str, model: LoadedModel) -> list[int]:
    """The tokens of a text that keeps to the model's limits.

    Raises:
        InvalidArgument: The text is empty, too long or beyond the model's vocabulary.
    """
    limits = model.limits
    if not text:
        raise InvalidArgument(field, "must not be empty")
    characters(field, text, model)
    readable(field, text, model)
    tokens = model.codec.encode(text)
    if not tokens:
        raise InvalidArgument(field, "must hold more than white space")
    if len(tokens) > limits.max_input_tokens:
        raise InvalidArgument(
            field, f"must have at most {limits.max_input_tokens} tokens, not {len(tokens)} (model {model.name})"
        )
    return tokens


def token_ids(field: str, ids: Sequence[int], model: LoadedModel, most: int | None = None) -> tuple[int, ...]:
    """Tokens that a stream of the model has brought. That it was a stream of this request cannot be told.

    Raises:
        InvalidArgument: There are more than ``most``, or one is a token that the model does not generate.
    """
    if most is not None and len(ids) > most:
        raise InvalidArgument(field, f"must have at most max_tokens = {most} tokens, not {len(ids)}")
    facts = model.manifest.tokenizer
    never = {facts.unknown_id: "the unknown token", facts.end_id: "the end of the sequence"}
    given = set(ids)
    if given and (max(given) >= facts.vocabulary_size or not given.isdisjoint(never)):
        place, wrong = next(
            (place, each) for place, each in enumerate(ids) if each >= facts.vocabulary_size or each in never
        )
        why = never.get(wrong, f"not in its vocabulary of {facts.vocabulary_size} tokens")
        raise InvalidArgument(
            f"{field}[{place}]",
            f"is {wrong}, {why}, which model {model.name} never sends; give the token_ids received, in order",
        )
    return tuple(ids)


def characters(field: str, text: str, model: LoadedModel) -> None:
    """Checks that a text has no more characters than the model's limit.

    Raises:
        InvalidArgument: It has.
    """
    most = model.limits.max_text_characters
    if len(text) > most:
        raise InvalidArgument(field, f"must have at most {most} characters, not {len(text)} (model {model.name})")


def admissible(field: str, slots: int, admission: Admission) -> None:
    """Checks that a request can be admitted at all, however few others there are.

    Raises:
        InvalidArgument: It needs more slots at once than may run and wait together.
    """
    if slots > admission.limit:
        raise InvalidArgument(
            field,
            f"needs {slots} slots at once, over the server's limit of {admission.limit} (--max-concurrency plus "
            "--max-queue); split the request",
        )


def readable(field: str, text: str, model: LoadedModel) -> None:
    """Checks that the model's vocabulary can spell a text.

    Raises:
        InvalidArgument: It has a character that is not in the vocabulary, which has no token for such.
    """
    missing = model.codec.missing(text)
    if missing is not None:
        raise InvalidArgument(field, f"has the character {missing!r}, which model {model.name} does not know")


def deadline(context: grpc.aio.ServicerContext[object, object], now: float, most_seconds: float) -> float:
    """When a call must be done: the client's deadline, or the server's cap where that is sooner."""
    remaining: float | None = context.time_remaining()
    return now + (most_seconds if remaining is None else min(remaining, most_seconds))
