"""The tensors that each task takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ostinato_bundle.manifest import Task

ANY = -1
"""A dimension that may have any size."""


class TensorSpec(NamedTuple):
    """A tensor that a task takes or gives.

    Attributes:
        name: Its name.
        datatype: The protocol's name of its type.
        shape: Its dimensions.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]


class Signature(NamedTuple):
    """What a task takes and gives.

    Attributes:
        text: The input that must be there.
        options: Inputs that may be left out, or given as parameters of the request.
        outputs: What it gives when nothing is asked for.
        extras: What it gives only when asked for.
        per_text: Names of the outputs with an element for each text.
        classes: The classes that an output has a value for, in order, by the name of the output.
        decoupled: Whether a request in a stream is answered in several messages.
    """

    text: TensorSpec
    options: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    extras: tuple[TensorSpec, ...]
    per_text: frozenset[str]
    classes: Mapping[str, tuple[str, ...]]
    decoupled: bool


SIGNATURES: Mapping[Task, Signature] = MappingProxyType(
    {
        "generation": Signature(
            text=TensorSpec("prompt", "BYTES", (1,)),
            options=(
                TensorSpec("max_tokens", "INT32", (1,)),
                TensorSpec("temperature", "FP32", (1,)),
                TensorSpec("top_k", "INT32", (1,)),
                TensorSpec("top_p", "FP32", (1,)),
                TensorSpec("seed", "UINT64", (1,)),
                TensorSpec("stop", "BYTES", (ANY,)),
            ),
            outputs=(
                TensorSpec("text", "BYTES", (1,)),
                TensorSpec("finish_reason", "BYTES", (1,)),
                TensorSpec("generated_tokens", "INT32", (1,)),
            ),
            extras=(TensorSpec("tokens", "INT64", (ANY,)), TensorSpec("logprobs", "FP32", (ANY,))),
            per_text=frozenset({"text", "finish_reason", "generated_tokens"}),
            classes=MappingProxyType({}),
            decoupled=True,
        ),
        "sentiment": Signature(
            text=TensorSpec("text", "BYTES", (ANY,)),
            options=(),
            outputs=(TensorSpec("probabilities", "FP32", (ANY, 2)), TensorSpec("label", "BYTES", (ANY,))),
            extras=(),
            per_text=frozenset({"label"}),
            classes=MappingProxyType({"probabilities": ("negative", "positive")}),
            decoupled=False,
        ),
        "translation": Signature(
            text=TensorSpec("text", "BYTES", (ANY,)),
            options=(
                TensorSpec("max_tokens", "INT32", (1,)),
                TensorSpec("beam_size", "INT32", (1,)),
                TensorSpec("length_penalty", "FP32", (1,)),
                TensorSpec("attention", "BOOL", (1,)),
            ),
            outputs=(TensorSpec("translation", "BYTES", (ANY,)),),
            extras=(
                TensorSpec("target_tokens", "BYTES", (ANY,)),
                TensorSpec("source_tokens", "BYTES", (ANY,)),
                TensorSpec("attention", "FP32", (ANY, ANY)),
            ),
            per_text=frozenset({"translation"}),
            classes=MappingProxyType({}),
            decoupled=False,
        ),
    }
)
