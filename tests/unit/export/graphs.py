"""Exported graphs of untrained networks, opened without a bundle around them."""

from pathlib import Path

import numpy as np

from ostinato_bundle import Artifact
from ostinato_models.export.execution import Array, Arrays, GraphRun, open_graph
from ostinato_models.export.graphs import graphs_of, write_artifact
from ostinato_models.export.source import Source

ONNX: tuple[Artifact, ...] = ("onnx-int8", "onnx")
ALL: tuple[Artifact, ...] = ("onnx-int8", "onnx", "torchscript")


def opened(source: Source, artifact: Artifact, folder: Path, *names: str) -> dict[str, GraphRun]:
    """The graphs of a source, written in one format and opened; all that are served by default."""
    graphs = graphs_of(source)
    runs = {}
    for name in names or graphs.served:
        path = folder / f"{name}.{artifact}"
        write_artifact(graphs, name, artifact, path)
        runs[name] = open_graph(path, artifact, graphs.signatures()[name])
    return runs


def rows_of(inputs: Arrays, start: int, stop: int) -> dict[str, Array]:
    """A slice of a batch."""
    return {name: value[start:stop] for name, value in inputs.items()}


def stacked(results: list[dict[str, Array]]) -> dict[str, Array]:
    """Results of several calls as those of one."""
    return {name: np.concatenate([result[name] for result in results]) for name in results[0]}


def states_after(result: Arrays) -> dict[str, Array]:
    """The states that a call gave, as the next one takes them."""
    return {name.removeprefix("next_"): value for name, value in result.items() if name.startswith("next_state_")}


def differing(ours: Arrays, theirs: Arrays) -> list[str]:
    """Names of the tensors that are not equal bit for bit."""
    return [name for name in theirs if not np.array_equal(ours[name], theirs[name])]
