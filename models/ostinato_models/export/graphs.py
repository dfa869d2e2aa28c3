"""What every task's exporter offers, and which exporter a source gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import onnx
from torch import nn

from ostinato_bundle import Artifact, Limits
from ostinato_models.export.generation import GenerationGraphs
from ostinato_models.export.graph_builder import Precision
from ostinato_models.export.sentiment import SentimentGraphs
from ostinato_models.export.signatures import Signature
from ostinato_models.export.source import Source
from ostinato_models.export.torchscript import save_trace
from ostinato_models.export.translation import TranslationGraphs
from ostinato_models.networks import CharLanguageModel, SentimentClassifier, Seq2Seq


class TaskGraphs(Protocol):
    """A network's graphs."""

    @property
    def served(self) -> Sequence[str]:
        """The graphs that a bundle holds."""

    @property
    def limits(self) -> Limits:
        """What requests must keep to."""

    def signatures(self) -> Mapping[str, Signature]:
        """What every graph takes and gives."""

    def onnx(self, name: str, precision: Precision) -> onnx.ModelProto:
        """Write a graph."""

    def torch(self, name: str) -> nn.Module:
        """Make a graph's module, ready to be traced."""


def graphs_of(source: Source) -> TaskGraphs:
    """The exporter of a source's network."""
    match source.network():
        case CharLanguageModel() as generator:
            return GenerationGraphs(generator.config, source.weights, source.vocabulary(), generator)
        case SentimentClassifier() as classifier:
            return SentimentGraphs(classifier.config, source.weights, classifier)
        case Seq2Seq() as translator:
            return TranslationGraphs(translator.config, source.weights, source.vocabulary(), translator)


def onnx_model(graphs: TaskGraphs, name: str, artifact: Artifact) -> onnx.ModelProto:
    """A graph as ONNX, in the precision of the artifact."""
    return graphs.onnx(name, "int8" if artifact == "onnx-int8" else "fp32")


def write_artifact(graphs: TaskGraphs, name: str, artifact: Artifact, path: Path) -> None:
    """Write one graph, complete in itself, in one format."""
    if artifact == "torchscript":
        save_trace(graphs.torch(name), graphs.signatures()[name].inputs, path)
    else:
        onnx.save_model(onnx_model(graphs, name, artifact), path)
