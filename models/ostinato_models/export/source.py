"""What an export starts from: a run directory that training left, or a shipped bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file

from ostinato_bundle import TokenizerFacts, open_bundle
from ostinato_bundle.manifest import Task
from ostinato_models.errors import ModelsError
from ostinato_models.export.datasets import language_pair
from ostinato_models.export.errors import ExportError
from ostinato_models.export.sampling import Vocabulary
from ostinato_models.export.weights import Weights
from ostinato_models.networks import (
    CharLanguageModel,
    CharLanguageModelConfig,
    SentimentClassifier,
    SentimentClassifierConfig,
    Seq2Seq,
    Seq2SeqConfig,
)

AnyConfig = CharLanguageModelConfig | SentimentClassifierConfig | Seq2SeqConfig
AnyNetwork = CharLanguageModel | SentimentClassifier | Seq2Seq

TASKS: Mapping[str, Task] = {"char-lm": "generation", "sentiment": "sentiment", "translation": "translation"}
"""What a run directory calls a task, and what a bundle calls it."""

RECORD = "training.json"
"""The run directory's ``config.json``, as a bundle keeps it."""

_CONFIGS: dict[Task, type[AnyConfig]] = {
    "generation": CharLanguageModelConfig,
    "sentiment": SentimentClassifierConfig,
    "translation": Seq2SeqConfig,
}
_KINDS: Mapping[str, Literal["character", "word", "subword"]] = {
    "WordLevel": "character",
    "BPE": "subword",
    "WordPiece": "subword",
}
"""What a tokenizer's model, by its name in the file, cuts a text into."""


@dataclass(frozen=True, slots=True)
class Source:
    """A trained network with all that a bundle says about it.

    Attributes:
        task: the bundle's task.
        config: the network's sizes.
        weights: its parameters, each a value that fp16 can hold.
        tokenizer: content of ``tokenizer.json``.
        record: content of the run directory's ``config.json``.
    """

    task: Task
    config: AnyConfig
    weights: Weights
    tokenizer: str
    record: Mapping[str, Any]

    def network(self) -> AnyNetwork:
        """The network in eager PyTorch, fp32, in evaluation mode."""
        network: AnyNetwork
        match self.config:
            case CharLanguageModelConfig():
                network = CharLanguageModel(self.config)
            case SentimentClassifierConfig():
                network = SentimentClassifier(self.config)
            case Seq2SeqConfig():
                network = Seq2Seq(self.config)
        network.load_state_dict({name: torch.from_numpy(value) for name, value in self.weights.items()})
        return network.eval().requires_grad_(False)

    def tokenizer_facts(self) -> TokenizerFacts:
        """What the tokenizer says about itself."""
        model = json.loads(self.tokenizer)["model"]
        vocabulary: Mapping[str, int] = model["vocab"]
        return TokenizerFacts(
            kind=_KINDS[model["type"]],
            vocabulary_size=len(vocabulary),
            unknown_id=vocabulary.get("<unk>"),
            start_id=vocabulary.get("<s>"),
            end_id=vocabulary.get("</s>"),
            padding_id=vocabulary.get("<pad>"),
        )

    def vocabulary(self) -> Vocabulary:
        """What can be generated: all but the reserved tokens, which come first; the end of a text counts as text.

        Raises:
            ExportError: a reserved token comes after one that can be generated.
        """
        facts = self.tokenizer_facts()
        never = {facts.unknown_id, facts.start_id, facts.padding_id} - {None}
        if never != set(range(len(never))):
            raise ExportError(f"the tokenizer's reserved tokens have the ids {never}; they must come first")
        return Vocabulary(facts.vocabulary_size, len(never))


def make_source(config: AnyConfig, weights: Weights, tokenizer: str, record: Mapping[str, Any]) -> Source:
    """Round the weights to fp16, which is what a bundle stores and everything else derives from.

    Raises:
        ExportError: a weight is beyond fp16, or the tokenizer does not fit the network.
    """
    task = TASKS[record["task"]]
    rounded = {name: as_halves(name, value).astype(np.float32) for name, value in weights.items()}
    source = Source(task, config, rounded, tokenizer, record)
    size = source.tokenizer_facts().vocabulary_size
    if size != config.vocabulary_size:
        raise ExportError(f"the tokenizer has {size} tokens, the network {config.vocabulary_size}")
    return source


def as_halves(name: str, value: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float16]]:
    """A parameter in fp16.

    Raises:
        ExportError: it holds a number that fp16 has none for.
    """
    with np.errstate(over="ignore"):
        halves = value.astype(np.float16)
    if not np.isfinite(halves).all():
        raise ExportError(f"parameter {name} holds numbers that fp16 cannot: the training has diverged")
    return halves


def load_run(directory: Path) -> Source:
    """Read a run directory: ``config.json``, ``weights.safetensors`` and ``tokenizer.json``.

    Raises:
        ExportError: a file is missing or malformed.
    """
    record = read_json(directory / "config.json")
    return _load(directory, record)


def default_name(source: Source) -> str:
    """The name that a model of this kind is served under."""
    if source.task != "translation":
        return "char-lm" if source.task == "generation" else "sentiment"
    pair = language_pair(source.record["data"]["name"]) or ("en", "fr")
    return f"translation-{pair[0]}-{pair[1]}"


def load_bundle(directory: Path) -> Source:
    """Read a shipped bundle, verified.

    Raises:
        BundleError: the bundle does not hold what its manifest says.
        ExportError: it was not made by this project's training.
    """
    open_bundle(directory)
    if not (directory / RECORD).exists():
        raise ExportError(
            f"{directory} has no {RECORD}: no training of this project made it, so nothing derives from it"
        )
    return _load(directory, read_json(directory / RECORD))


def _load(directory: Path, record: Mapping[str, Any]) -> Source:
    try:
        config = _CONFIGS[TASKS[record["task"]]].from_dict(record["model"])
        weights = load_file(directory / "weights.safetensors")
        tokenizer = (directory / "tokenizer.json").read_text("utf-8")
    except (OSError, KeyError, SafetensorError) as error:
        raise ExportError(f"{directory}: {type(error).__name__}: {error}") from error
    except ModelsError as error:
        raise ExportError(f"{directory}: {error}") from error
    return make_source(config, weights, tokenizer, record)


def read_json(path: Path) -> Mapping[str, Any]:
    """Read a JSON object.

    Raises:
        ExportError: the file is missing or holds something else.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ExportError(f"{path} is missing: is the training finished?") from None
    except ValueError as error:
        raise ExportError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise ExportError(f"{path} holds no JSON object")
    return content
