"""From Python arguments to request messages: pure functions shared by both clients.

The server is the judge of limits. What is refused here is what a message cannot hold at all: a negative count, a
number over its field's size, a text that is not Unicode.
"""

from __future__ import annotations

import operator
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from ostinato.v1 import generation_pb2, models_pb2, sentiment_pb2, translation_pb2
from ostinato_client.errors import FieldViolation, InvalidRequest

MAX_UINT32 = 2**32 - 1
MAX_UINT64 = 2**64 - 1

PriorityName: TypeAlias = Literal["high", "normal", "low"]
"""Class of a request, while there are fewer slots than streams."""

PRIORITIES: Mapping[PriorityName | None, generation_pb2.Priority.ValueType] = {
    None: generation_pb2.PRIORITY_UNSPECIFIED,
    "high": generation_pb2.PRIORITY_HIGH,
    "normal": generation_pb2.PRIORITY_NORMAL,
    "low": generation_pb2.PRIORITY_LOW,
}


def generate_request(
    prompt: str,
    *,
    model: str,
    version: int | None,
    max_chars: int | None,
    temperature: float | None,
    top_k: int | None,
    top_p: float | None,
    seed: int | None,
    stop: Sequence[str],
    logprobs: bool,
    top_alternatives: int,
    priority: PriorityName | None,
) -> generation_pb2.GenerateRequest:
    """The message for ``generate``; what is None stays absent, for the server's default.

    Raises:
        InvalidRequest: A value that its field cannot hold.
    """
    return generation_pb2.GenerateRequest(
        model=_text("model", model),
        version=_count("version", version),
        prompt=_text("prompt", prompt),
        sampling=_sampling("sampling", temperature, top_k, top_p, seed),
        stopping=_stopping("stopping", max_chars, stop),
        include_logprobs=logprobs,
        top_alternatives=_count("top_alternatives", top_alternatives) or 0,
        priority=_priority(priority),
    )


def session_start(
    *,
    model: str,
    version: int | None,
    logprobs: bool,
    top_alternatives: int,
    priority: PriorityName | None,
) -> generation_pb2.GenerateSessionRequest:
    """The first message of ``session``.

    Raises:
        InvalidRequest: A value that its field cannot hold.
    """
    start = generation_pb2.SessionStart(
        model=_text("start.model", model),
        version=_count("start.version", version),
        include_logprobs=logprobs,
        top_alternatives=_count("start.top_alternatives", top_alternatives) or 0,
        priority=_priority(priority),
    )
    return generation_pb2.GenerateSessionRequest(start=start)


def session_turn(
    text: str,
    *,
    max_chars: int | None,
    temperature: float | None,
    top_k: int | None,
    top_p: float | None,
    seed: int | None,
    stop: Sequence[str],
) -> generation_pb2.GenerateSessionRequest:
    """A turn's message; what is None stays absent, for the server's default.

    Raises:
        InvalidRequest: A value that its field cannot hold.
    """
    turn = generation_pb2.SessionTurn(
        text=_text("turn.text", text),
        sampling=_sampling("turn.sampling", temperature, top_k, top_p, seed),
        stopping=_stopping("turn.stopping", max_chars, stop),
    )
    return generation_pb2.GenerateSessionRequest(turn=turn)


def translate_request(
    text: str,
    *,
    model: str,
    version: int | None,
    beam_size: int | None,
    length_penalty: float | None,
    max_tokens: int | None,
    attention: bool,
    priority: PriorityName | None,
) -> translation_pb2.TranslateRequest:
    """The message for ``translate``; what is None stays absent, for the server's default.

    Raises:
        InvalidRequest: A value that its field cannot hold.
    """
    return translation_pb2.TranslateRequest(
        model=_text("model", model),
        version=_count("version", version),
        text=_text("text", text),
        beam_size=_count("beam_size", beam_size),
        length_penalty=_number("length_penalty", length_penalty),
        max_tokens=_count("max_tokens", max_tokens),
        include_attention=attention,
        priority=_priority(priority),
    )


def classify_request(text: str, *, model: str, version: int | None, trace: bool) -> sentiment_pb2.ClassifyRequest:
    """The message for ``classify``.

    Raises:
        InvalidRequest: A value that its field cannot hold.
    """
    return sentiment_pb2.ClassifyRequest(
        model=_text("model", model), version=_count("version", version), text=_text("text", text), include_trace=trace
    )


def classify_batch_request(
    texts: Sequence[str], *, model: str, version: int | None, trace: bool
) -> sentiment_pb2.ClassifyBatchRequest:
    """The message for ``classify_batch``.

    Raises:
        InvalidRequest: A value that its field cannot hold, or one text where several belong.
    """
    return sentiment_pb2.ClassifyBatchRequest(
        model=_text("model", model),
        version=_count("version", version),
        texts=text_list("texts", texts),
        include_trace=trace,
    )


def classify_stream_request(
    text: str, index: int, *, model: str, version: int | None, trace: bool
) -> sentiment_pb2.ClassifyStreamRequest:
    """The message for the text at a position of ``classify_stream``; the position is its identifier.

    Raises:
        InvalidRequest: A value that its field cannot hold.
    """
    return sentiment_pb2.ClassifyStreamRequest(
        model=_text("model", model),
        version=_count("version", version),
        text=_text(f"texts[{index}]", text),
        include_trace=trace,
        request_id=str(index),
    )


def classify_incremental_request(
    deleted: int, appended: str, *, model: str, version: int | None
) -> sentiment_pb2.ClassifyIncrementalRequest:
    """A change of the text of ``classify_incremental``.

    Raises:
        InvalidRequest: A value that its field cannot hold.
    """
    return sentiment_pb2.ClassifyIncrementalRequest(
        model=_text("model", model),
        version=_count("version", version),
        deleted_characters=deleted,
        appended_text=_text("appended_text", appended),
    )


def get_model_request(name: str, *, version: int | None) -> models_pb2.GetModelRequest:
    """The message for ``model``.

    Raises:
        InvalidRequest: A value that its field cannot hold.
    """
    return models_pb2.GetModelRequest(model=_text("model", name), version=_count("version", version))


def load_model_request(name: str, *, version: int | None) -> models_pb2.LoadModelRequest:
    """The message for ``load_model``.

    Raises:
        InvalidRequest: A value that its field cannot hold.
    """
    return models_pb2.LoadModelRequest(model=_text("model", name), version=_count("version", version))


def unload_model_request(name: str, *, version: int | None) -> models_pb2.UnloadModelRequest:
    """The message for ``unload_model``.

    Raises:
        InvalidRequest: A value that its field cannot hold.
    """
    return models_pb2.UnloadModelRequest(model=_text("model", name), version=_count("version", version))


def _sampling(
    field: str, temperature: float | None, top_k: int | None, top_p: float | None, seed: int | None
) -> generation_pb2.SamplingParameters:
    return generation_pb2.SamplingParameters(
        temperature=_number(f"{field}.temperature", temperature),
        top_k=_count(f"{field}.top_k", top_k),
        top_p=_number(f"{field}.top_p", top_p),
        seed=_count(f"{field}.seed", seed, MAX_UINT64),
    )


def _stopping(field: str, max_tokens: int | None, stop: Sequence[str]) -> generation_pb2.StoppingParameters:
    return generation_pb2.StoppingParameters(
        max_tokens=_count(f"{field}.max_tokens", max_tokens),
        stop=text_list(f"{field}.stop", (stop,) if isinstance(stop, str) else stop),
    )


def _priority(name: PriorityName | None) -> generation_pb2.Priority.ValueType:
    if name not in PRIORITIES:
        raise _invalid("priority", f"must be high, normal or low (got {name!r})")
    return PRIORITIES[name]


def _count(field: str, value: int | None, largest: int = MAX_UINT32) -> int | None:
    if value is None:
        return None
    try:
        number = operator.index(value)
    except TypeError:
        raise _invalid(field, f"must be a whole number (got {_shown(value)})") from None
    if not 0 <= number <= largest:
        raise _invalid(field, f"must be from 0 to {largest} (got {value})")
    return number


def _number(field: str, value: float | None) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        raise _invalid(field, f"must be a number (got {_shown(value)})") from None


def _shown(value: object) -> str:
    """A value that has the wrong type, short enough for an error: ``nan, a float``."""
    text = repr(value)
    name = type(value).__name__
    return text if value is None else f"{text if len(text) <= 40 else text[:39] + '…'}, of type {name}"


def text_list(field: str, values: Iterable[str], first: int = 0) -> list[str]:
    """Several texts, each of them checked; an error names the index, counted from ``first``.

    Raises:
        InvalidRequest: It is one text or not iterable, or an item of it is not a text.
    """
    check_several(field, values)
    return [_text(f"{field}[{index}]", value) for index, value in enumerate(values, first)]


def check_several(field: str, values: object) -> None:
    """Checks that a value can hold several texts.

    Raises:
        InvalidRequest: It is one text, or not iterable.
    """
    if isinstance(values, str | bytes):
        raise _invalid(field, "must be a list of texts (got one text)")
    if not isinstance(values, Iterable | AsyncIterable):
        raise _invalid(field, f"must be a list of texts (got {_shown(values)})")


def _text(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise _invalid(field, f"must be a text (got {_shown(value)})")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # A lone surrogate, as Python makes of undecodable bytes on a command line.
        raise _invalid(field, f"must be Unicode text (got a lone surrogate at character {error.start})") from None
    return value


def _invalid(field: str, description: str) -> InvalidRequest:
    violation = FieldViolation(field, description)
    return InvalidRequest(str(violation), violations=(violation,))
