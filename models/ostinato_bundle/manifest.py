"""The manifest: what a bundle says about itself, checked when it is read."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

FORMAT_VERSION = 1
"""Version of this schema; a bundle of another one is refused."""

MAX_FILES = 256
"""A bundle has some ten files; a folder with more than this is none."""

MAX_FILE_BYTES = 1 << 33
"""8 GiB: larger than any recurrent network, small enough to read."""

MAX_ROW_ELEMENTS = 1 << 24
"""Numbers that a stream's state may hold: 64 MiB, where a large LSTM has some thousands."""

Task = Literal["generation", "sentiment", "translation"]
Artifact = Literal["onnx-int8", "onnx", "torchscript"]
"""A runtime and precision: static int8 ONNX, fp32 ONNX, fp32 TorchScript."""

DataType = Literal["float32", "int64"]
MODEL_NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
ModelName = Annotated[str, StringConstraints(pattern=MODEL_NAME_PATTERN)]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""A plain name: no folder, no hidden file, no way out of the bundle."""

REQUIRED_GRAPHS: dict[str, frozenset[str]] = {
    "generation": frozenset({"step"}),
    "sentiment": frozenset({"classifier"}),
    "translation": frozenset({"encoder", "step"}),
}


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Tensor(_Record):
    """Name, type and shape of a tensor; -1 marks a dynamic size, the batch comes first."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    data_type: DataType
    shape: tuple[Annotated[int, Field(ge=-1)], ...]

    @model_validator(mode="after")
    def _batch_comes_first(self) -> Tensor:
        if not self.shape or self.shape[0] != -1:
            raise ValueError(f"tensor {self.name}: the first size must be the batch, -1")
        return self


class Graph(_Record):
    """What a graph takes and gives, and the file that holds it for each runtime."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    artifacts: dict[Artifact, FileName]

    @property
    def state(self) -> tuple[Tensor, ...]:
        """The state tensors that the graph takes, in order: inputs named ``state_0``, ``state_1`` and so on."""
        return tuple(tensor for tensor in self.inputs if re.fullmatch(r"state_\d+", tensor.name))

    @property
    def memory(self) -> tuple[Tensor, ...]:
        """The per-stream constants that the graph takes: inputs named ``memory_0``, …, shape (batch, source, …)."""
        return tuple(tensor for tensor in self.inputs if re.fullmatch(r"memory_\d+", tensor.name))

    @model_validator(mode="after")
    def _rows_are_small(self) -> Graph:
        for tensors in (self.inputs, self.outputs):
            held = sum(math.prod(max(size, 1) for size in tensor.shape) for tensor in tensors)
            if held > MAX_ROW_ELEMENTS:
                raise ValueError(
                    f"the tensors hold {held} numbers for each row; at most {MAX_ROW_ELEMENTS} are allowed"
                )
        return self

    @model_validator(mode="after")
    def _state_returns(self) -> Graph:
        given = {tensor.name: tensor for tensor in self.outputs}
        for tensor in self.state:
            back = given.get(f"next_{tensor.name}")
            if back is not None and (back.shape, back.data_type) != (tensor.shape, tensor.data_type):
                raise ValueError(f"tensor {back.name} must have the type and shape of {tensor.name}")
        return self


class TokenizerFacts(_Record):
    """How text becomes tokens, and which tokens are special."""

    kind: Literal["character", "word", "subword"]
    vocabulary_size: Annotated[int, Field(ge=2, le=1_000_000)]
    unknown_id: int | None = None
    start_id: int | None = None
    end_id: int | None = None
    padding_id: int | None = None

    @model_validator(mode="after")
    def _special_tokens_are_in_the_vocabulary(self) -> TokenizerFacts:
        for name in ("unknown_id", "start_id", "end_id", "padding_id"):
            value: int | None = getattr(self, name)
            if value is not None and not 0 <= value < self.vocabulary_size:
                raise ValueError(f"{name} {value} is not in a vocabulary of {self.vocabulary_size}")
        return self


class Limits(_Record):
    """What a request must keep to; 0 where a limit does not apply.

    Of a translation, ``max_text_characters`` holds for the whole text, all limits of tokens for each of its sentences.
    """

    max_text_characters: Annotated[int, Field(ge=1, le=10_000_000)]
    max_input_tokens: Annotated[int, Field(ge=1, le=1_000_000)]
    max_new_tokens: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    max_beam_size: Annotated[int, Field(ge=0, le=64)] = 0
    max_alternatives: Annotated[int, Field(ge=0, le=100)] = 0
    max_batch_texts: Annotated[int, Field(ge=0, le=100_000)] = 0
    new_tokens_per_input_token: Annotated[float, Field(ge=0, le=1000)] = 0.0
    new_tokens_extra: Annotated[int, Field(ge=0, le=1_000_000)] = 0

    def most_new_tokens(self, input_tokens: int) -> int:
        """The most tokens that a translation of so many source tokens may have.

        That is ``max_new_tokens`` or, where it is less, ``new_tokens_per_input_token`` for each source token, rounded
        up, plus ``new_tokens_extra``.
        """
        if not self.new_tokens_per_input_token:
            return self.max_new_tokens
        relative = math.ceil(self.new_tokens_per_input_token * input_tokens) + self.new_tokens_extra
        return min(self.max_new_tokens, relative)

    @model_validator(mode="after")
    def _extra_has_a_ratio(self) -> Limits:
        if self.new_tokens_extra and not self.new_tokens_per_input_token:
            raise ValueError(f"new_tokens_extra {self.new_tokens_extra} needs new_tokens_per_input_token above 0")
        return self


class Evaluation(_Record):
    """A figure measured on the bundle."""

    measure: str
    value: float
    data_set: str
    artifact: str


class Parity(_Record):
    """How far an artifact is from what it must equal, at most, over all cases tried.

    That is eager PyTorch; for a model that was trained elsewhere, the graph that its owner gave.
    """

    file: FileName
    max_abs_difference: Annotated[float, Field(ge=0)]
    tolerance: Annotated[float, Field(gt=0)]
    cases: Annotated[int, Field(ge=1)]
    what: str

    @model_validator(mode="after")
    def _within_tolerance(self) -> Parity:
        if self.max_abs_difference > self.tolerance:
            raise ValueError(f"{self.file}: {self.what} is off by {self.max_abs_difference} > {self.tolerance}")
        return self


class Provenance(_Record):
    """Where the weights come from."""

    command: str
    seed: int | None = None
    """Absent where this project did not train."""
    data_sets: dict[str, str]
    """sha256 of every data file, by its name."""
    libraries: dict[str, str]
    """Version of every library that shaped the weights."""


class FileRecord(_Record):
    """A file of the bundle."""

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0, le=MAX_FILE_BYTES)]


class Manifest(_Record):
    """All that a bundle says about itself."""

    format_version: int
    name: ModelName
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    task: Task
    description: str
    license: str
    architecture: dict[str, str | int | float | bool | None]
    tokenizer: TokenizerFacts
    limits: Limits
    graphs: dict[str, Graph]
    parity: tuple[Parity, ...] = ()
    evaluation: tuple[Evaluation, ...] = ()
    provenance: Provenance
    files: Annotated[dict[FileName, FileRecord], Field(max_length=MAX_FILES)]

    @field_validator("format_version")
    @classmethod
    def _known_format(cls, value: int) -> int:
        if value != FORMAT_VERSION:
            raise ValueError(f"format version {value}; this program reads {FORMAT_VERSION}")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Manifest:
        missing = REQUIRED_GRAPHS[self.task] - self.graphs.keys()
        if missing:
            raise ValueError(f"a {self.task} model needs the graph {', '.join(sorted(missing))}")
        if self.limits.new_tokens_per_input_token and self.task != "translation":
            raise ValueError(f"new_tokens_per_input_token is for translation models, not {self.task}")
        named = {file for graph in self.graphs.values() for file in graph.artifacts.values()}
        unlisted = (named | {"tokenizer.json"}) - self.files.keys()
        if unlisted:
            raise ValueError(f"no sha256 for {', '.join(sorted(unlisted))}")
        return self

    def artifacts(self) -> frozenset[Artifact]:
        """The runtimes that every graph of the bundle has a file for."""
        kinds = [frozenset(graph.artifacts) for graph in self.graphs.values()]
        return frozenset.intersection(*kinds)
