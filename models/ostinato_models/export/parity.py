"""Holding every exported file against eager PyTorch, on batches and lengths other than the example's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ostinato_bundle import Artifact, Parity
from ostinato_models.export.differences import Differences
from ostinato_models.export.execution import open_graph
from ostinato_models.export.generation_parity import compare_generation
from ostinato_models.export.graphs import TaskGraphs
from ostinato_models.export.source import Source
from ostinato_models.export.text_parity import compare_classifier, compare_translation
from ostinato_models.networks import CharLanguageModel, SentimentClassifier, Seq2Seq


def measure_parity(source: Source, graphs: TaskGraphs, artifact: Artifact, files: Mapping[str, Path]) -> list[Parity]:
    """Run an artifact's files beside the network they come from.

    Args:
        source: what was exported.
        graphs: its exporter.
        artifact: the kind of the files.
        files: every graph's file.

    Returns:
        The largest difference of every file and quantity.

    Raises:
        ParityError: one is over its tolerance.
    """
    signatures = graphs.signatures()
    runs = {name: open_graph(path, artifact, signatures[name]) for name, path in files.items()}
    differences = Differences(artifact)
    match source.network():
        case CharLanguageModel() as network:
            compare_generation(network, source.vocabulary(), runs, files, differences)
        case SentimentClassifier() as classifier:
            compare_classifier(classifier, runs["classifier"], files["classifier"], differences)
        case Seq2Seq() as translator:
            compare_translation(translator, source.vocabulary(), runs, files, differences)
    return differences.records()
