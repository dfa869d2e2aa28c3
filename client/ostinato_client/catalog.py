"""What the server serves: models, their limits, tokenizers, graphs and measured figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from ostinato.v1 import models_pb2


class Task(StrEnum):
    """What a model does."""

    GENERATION = "generation"
    SENTIMENT = "sentiment"
    TRANSLATION = "translation"
    UNSPECIFIED = "unspecified"


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """What a request must keep to; 0 where a limit does not apply. Texts in characters, the rest in tokens.

    The translation of a sentence of n tokens has at most ``new_tokens_per_input_token`` times n, rounded up, plus
    ``new_tokens_extra`` tokens, and at most ``max_new_tokens``.
    """

    max_text_characters: int
    max_input_tokens: int
    max_new_tokens: int
    max_beam_size: int
    max_alternatives: int
    max_batch_texts: int
    new_tokens_per_input_token: float = 0.0
    new_tokens_extra: int = 0


@dataclass(frozen=True, slots=True)
class TokenizerInfo:
    """How text becomes tokens: "character", "word" or "subword", and the token for what is not in the vocabulary."""

    kind: str
    vocabulary_size: int
    unknown_token: str | None


@dataclass(frozen=True, slots=True)
class TensorSignature:
    """Name, type and shape of a tensor; -1 marks a dynamic size, the batch comes first."""

    name: str
    data_type: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GraphSignature:
    """What a graph ("step", "prefill", "encoder", "classifier") takes and gives."""

    name: str
    inputs: tuple[TensorSignature, ...]
    outputs: tuple[TensorSignature, ...]


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """A figure ("nats_per_char", "accuracy", "bleu", …), the data set and the runtime that it was measured with."""

    measure: str
    value: float
    data_set: str
    runtime: str


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model.

    Attributes:
        name: Name to ask for it by.
        version: Version; higher is newer.
        task: What it does.
        description: A sentence about it.
        license: Licence of the weights.
        limits: What a request must keep to.
        tokenizer: How text becomes tokens.
        graphs: The graphs that the server runs.
        evaluations: What was measured on it.
        runtime: "onnx-int8", "onnx" or "torchscript".
        device: "cpu" or "cuda".
        architecture: Kind and sizes of the network.
    """

    name: str
    version: int
    task: Task
    description: str
    license: str
    limits: ModelLimits
    tokenizer: TokenizerInfo
    graphs: tuple[GraphSignature, ...]
    evaluations: tuple[EvaluationResult, ...]
    runtime: str
    device: str
    architecture: Mapping[str, str]


class ModelState(StrEnum):
    """What has become of a bundle."""

    AVAILABLE = "available"
    """The repository has it; it is not loaded."""
    LOADED = "loaded"
    """Requests find it."""
    DRAINING = "draining"
    """Only requests that began on it still have it."""
    REFUSED = "refused"
    """It was tried and is not what its manifest says, or cannot be served there."""
    UNSPECIFIED = "unspecified"


@dataclass(frozen=True, slots=True)
class RepositoryEntry:
    """A version of a model that the server's repository has, or that is in its memory.

    Attributes:
        model: Name of the model.
        version: Version of the model.
        state: What has become of it.
        reason: Why its bundle, as it is now, was refused; empty if it was not.
    """

    model: str
    version: int
    state: ModelState
    reason: str


_STATES: Mapping[int, ModelState] = MappingProxyType(
    {
        models_pb2.MODEL_STATE_AVAILABLE: ModelState.AVAILABLE,
        models_pb2.MODEL_STATE_LOADED: ModelState.LOADED,
        models_pb2.MODEL_STATE_DRAINING: ModelState.DRAINING,
        models_pb2.MODEL_STATE_REFUSED: ModelState.REFUSED,
    }
)

_TASKS: Mapping[int, Task] = MappingProxyType(
    {
        models_pb2.TASK_GENERATION: Task.GENERATION,
        models_pb2.TASK_SENTIMENT: Task.SENTIMENT,
        models_pb2.TASK_TRANSLATION: Task.TRANSLATION,
    }
)


def model_from(message: models_pb2.Model) -> Model:
    """The value that stands for a message."""
    limits, tokenizer = message.limits, message.tokenizer
    return Model(
        name=message.name,
        version=message.version,
        task=_TASKS.get(message.task, Task.UNSPECIFIED),
        description=message.description,
        license=message.license,
        limits=ModelLimits(
            max_text_characters=limits.max_text_characters,
            max_input_tokens=limits.max_input_tokens,
            max_new_tokens=limits.max_new_tokens,
            max_beam_size=limits.max_beam_size,
            max_alternatives=limits.max_alternatives,
            max_batch_texts=limits.max_batch_texts,
            new_tokens_per_input_token=limits.new_tokens_per_input_token,
            new_tokens_extra=limits.new_tokens_extra,
        ),
        tokenizer=TokenizerInfo(
            kind=tokenizer.kind,
            vocabulary_size=tokenizer.vocabulary_size,
            unknown_token=tokenizer.unknown_token if tokenizer.HasField("unknown_token") else None,
        ),
        graphs=tuple(
            GraphSignature(graph.name, _tensors(graph.inputs), _tensors(graph.outputs)) for graph in message.graphs
        ),
        evaluations=tuple(
            EvaluationResult(each.measure, each.value, each.data_set, each.runtime) for each in message.evaluations
        ),
        runtime=message.runtime,
        device=message.device,
        architecture=dict(message.architecture),
    )


def entry_from(message: models_pb2.RepositoryEntry) -> RepositoryEntry:
    """The value that stands for a message."""
    state = _STATES.get(message.state, ModelState.UNSPECIFIED)
    return RepositoryEntry(message.model, message.version, state, message.reason)


def _tensors(messages: Iterable[models_pb2.TensorSignature]) -> tuple[TensorSignature, ...]:
    return tuple(TensorSignature(each.name, each.data_type, tuple(each.shape)) for each in messages)
