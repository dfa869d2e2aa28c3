"""The language model that writes, and the text that it learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from tokenizers import Tokenizer

from ostinato_bundle import Artifact
from ostinato_models.data.corpora import find_data_set
from ostinato_models.data.examples import CharacterCorpus
from ostinato_models.errors import ConfigurationError
from ostinato_models.export.execution import Array, GraphRun, open_graph
from ostinato_models.export.graphs import graphs_of, write_artifact
from ostinato_models.export.source import Source, load_run
from ostinato_models.lab.sampling.settings import SamplingSettings
from ostinato_models.lab.sampling.shipped import load_shipped
from ostinato_models.networks import CharLanguageModelConfig
from ostinato_models.presets import preset
from ostinato_models.training.run import train

ARTIFACT: Artifact = "onnx-int8"
"""What a server runs on a CPU unless told otherwise."""


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A model as it is served.

    Attributes:
        source: its parameters and its record.
        tokenizer: characters to ids and back.
        corpus: what it was trained on, and the held-out rest.
        prefill: reads a prompt.
        step: reads one character and chooses the next.
        score: reads a text and gives the log-probability of every next character.
        state_sizes: width of every tensor of the state, by name.
    """

    source: Source
    tokenizer: Tokenizer
    corpus: CharacterCorpus
    prefill: GraphRun
    step: GraphRun
    score: GraphRun
    state_sizes: Mapping[str, int]

    @property
    def first_choice(self) -> int:
        """The lowest id that can be generated; reserved ones come before."""
        return self.source.vocabulary().first

    def blank_state(self, rows: int) -> dict[str, Array]:
        """The state before any text, each tensor (rows, H)."""
        return {name: np.zeros((rows, size), np.float32) for name, size in self.state_sizes.items()}


def load_model(settings: SamplingSettings, data_dir: Path) -> LanguageModel:
    """The model that `settings` name, or a small one trained now, with the data set that it learned from.

    Raises:
        ModelsError: the model or its data is not there, or it is no character language model.
    """
    source = load_shipped(settings.model) if settings.model else _train(settings, data_dir)
    if not isinstance(source.config, CharLanguageModelConfig):
        raise ConfigurationError("model", settings.model, "a character language model")
    corpus = find_data_set(source.record["data"]["name"]).load(data_dir)
    if not isinstance(corpus, CharacterCorpus):
        raise ConfigurationError("model", settings.model, "trained on a text of characters")
    return open_model(source, corpus)


def open_model(source: Source, corpus: CharacterCorpus) -> LanguageModel:
    """Derive the graphs of `source` as an export does, which gives a shipped bundle's own files to the byte."""
    graphs = graphs_of(source)
    signatures = graphs.signatures()
    runs: dict[str, GraphRun] = {}
    with TemporaryDirectory() as folder:
        for name, signature in signatures.items():
            write_artifact(graphs, name, ARTIFACT, Path(folder) / name)
            runs[name] = open_graph(Path(folder) / name, ARTIFACT, signature)
    return LanguageModel(
        source,
        Tokenizer.from_str(source.tokenizer),
        corpus,
        prefill=runs["prefill"],
        step=runs["step"],
        score=runs["score"],
        state_sizes={each.name: each.shape[1] for each in signatures["step"].inputs if each.name.startswith("state_")},
    )


def _train(settings: SamplingSettings, data_dir: Path) -> Source:
    """Train the quick preset's model, as `ostinato train char-lm --preset quick --epochs N` does."""
    quick = preset("char-lm", "quick")
    quick = replace(quick, training=replace(quick.training, seed=settings.seed, epochs=settings.training_epochs))
    with TemporaryDirectory() as folder:
        train(
            quick,
            Path(folder),
            folder=data_dir,
            device=torch.device("cpu"),
            resume=False,
            command=("ostinato", "lab", "sampling"),
            stream=StringIO(),
        )
        return load_run(Path(folder))
