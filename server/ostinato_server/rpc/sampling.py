"""How a text is to be generated: the fields that every request for one has, checked."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from ostinato.v1 import generation_pb2
from ostinato_bundle import Limits
from ostinato_server.engine.request import SamplingParameters
from ostinato_server.errors import InvalidArgument
from ostinato_server.rpc import fields

DEFAULT_MAX_TOKENS = 10_000
"""The most tokens of a stream whose request does not limit them, where the model's limit is not lower."""

MAX_TEMPERATURE = 100.0
MAX_TOP_K = 1_000_000
MAX_STOP_TEXTS = 16
MAX_STOP_CHARACTERS = 256


def read_sampling(given: generation_pb2.SamplingParameters) -> SamplingParameters:
    """How the next token is drawn, in the engine's terms; a seed is made where none is given.

    Raises:
        InvalidArgument: A field is out of its limits.
    """
    temperature = given.temperature if given.HasField("temperature") else 1.0
    top_p = given.top_p if given.HasField("top_p") else 1.0
    fields.number("sampling.temperature", temperature, 0, MAX_TEMPERATURE)
    if not 0 < top_p <= 1:
        raise InvalidArgument("sampling.top_p", f"must be above 0 and at most 1, not {fields.plain(top_p)}")
    fields.number("sampling.top_k", given.top_k, 0, MAX_TOP_K)
    seed = given.seed if given.HasField("seed") else secrets.randbits(64)
    return SamplingParameters(temperature, given.top_k, top_p, seed)


def read_max_tokens(given: generation_pb2.StoppingParameters, limits: Limits, *, least: int) -> int:
    """The most tokens to generate.

    Raises:
        InvalidArgument: It is below ``least`` or over the model's limit.
    """
    if not given.HasField("max_tokens"):
        return min(DEFAULT_MAX_TOKENS, limits.max_new_tokens)
    fields.number("stopping.max_tokens", given.max_tokens, least, limits.max_new_tokens)
    return given.max_tokens


def read_stop(texts: Sequence[str]) -> tuple[str, ...]:
    """The stop texts.

    Raises:
        InvalidArgument: There are too many, or one is empty or too long.
    """
    if len(texts) > MAX_STOP_TEXTS:
        raise InvalidArgument("stopping.stop", f"must have at most {MAX_STOP_TEXTS} texts, not {len(texts)}")
    for index, text in enumerate(texts):
        fields.number(f"stopping.stop[{index}] length", len(text), 1, MAX_STOP_CHARACTERS)
    return tuple(texts)
