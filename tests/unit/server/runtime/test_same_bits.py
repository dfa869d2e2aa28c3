"""A row's bits do not depend on the rows beside it, on padding, on threads, or on how its prompt was read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.unit.server.runtime.rows import Row, prefilled, read_in_steps, read_whole, stepped

from ostinato_bundle import Artifact, Bundle, open_bundle
from ostinato_models.export import differences
from ostinato_models.export.source import Source
from ostinato_models.export.untrained import (
    ALPHABET,
    untrained_classifier,
    untrained_generator,
    untrained_translator,
)
from ostinato_models.export.writer import Target, write_bundle
from ostinato_models.networks.cells import CellName
from ostinato_server.runtime.base import Backend
from ostinato_server.runtime.select import open_backend

ARTIFACTS: tuple[Artifact, ...] = ("onnx-int8", "onnx", "torchscript")
SOME = (2, 3, 5, 8, 17, 36)
FEW = (2, 3, 9, 33)

Given = Callable[[Sequence[int]], list[Row]]


@pytest.fixture(params=ARTIFACTS)
def artifact(request: pytest.FixtureRequest) -> Iterator[Artifact]:
    yield request.param
    torch.set_num_threads(1)


@dataclass(frozen=True)
class Model:
    """A bundle and the artifact that is run."""

    bundle: Bundle
    artifact: Artifact

    def opened(self, threads: int) -> Backend:
        return open_backend(self.bundle, "cpu", self.artifact, threads)

    def hold(self, given: Callable[[Backend], Given], batches: Sequence[int], threads: Sequence[int]) -> None:
        """Asserts that each of the rows has the bits that it has alone, on one thread."""
        one = given(self.opened(1))
        alone = [one([row])[0] for row in range(max(batches))]
        for number in threads:
            several = given(self.opened(number))
            for count in batches:
                for row, found in enumerate(several(range(count))):
                    differing = [name for name in found if found[name] != alone[row][name]]
                    assert differing == [], f"row {row} of {count}, {number} threads"


def written(source: Source, artifact: Artifact, folder: Path) -> Model:
    """A bundle with one artifact; what chance weights lose in int8 is no concern here."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(differences, "QUANTIZED", dict.fromkeys(differences.QUANTIZED, 1e9))
        return Model(open_bundle(write_bundle(source, Target(folder, "model", 1, (artifact,)))), artifact)


def step(model: Model, longest: int = 13) -> Callable[[Backend], Given]:
    def given(backend: Backend) -> Given:
        table = backend.step_table("step", 70)
        return lambda streams: stepped(table, model.bundle, streams, longest)

    return given


def whole(model: Model, graph: str) -> Callable[[Backend], Given]:
    def given(backend: Backend) -> Given:
        reader = backend.graph(graph)
        return lambda streams: read_whole(reader, model.bundle, streams)

    return given


@pytest.mark.parametrize(("cell", "size"), [("lstm", 512), ("gru", 33)])
def test_generation_step(artifact: Artifact, cell: CellName, size: int, tmp_path: Path) -> None:
    model = written(untrained_generator(cell=cell, hidden_size=size), artifact, tmp_path)
    model.hold(step(model), SOME, (1, 2))


def test_generation_step_on_more_threads_than_the_machine_has(artifact: Artifact, tmp_path: Path) -> None:
    """Threads share a product's columns, one for each token of the vocabulary: 67 are as hard to share as 66."""
    model = written(untrained_generator(hidden_size=512, alphabet=ALPHABET + "1234"), artifact, tmp_path)
    model.hold(step(model), (1, 9), (4, 8))


@pytest.mark.parametrize(("cell", "size"), [("lstm", 96), ("gru", 33)])
def test_prompt_in_one_go_gives_the_state_of_its_steps(
    artifact: Artifact, cell: CellName, size: int, tmp_path: Path
) -> None:
    model = written(untrained_generator(cell=cell, hidden_size=size), artifact, tmp_path)
    table = model.opened(1).step_table("step", 1)
    for length in (1, 7):
        tokens = np.random.default_rng(length).integers(0, 60, (9, length))
        expected = [read_in_steps(table, model.bundle, stream, tokens) for stream in range(9)]
        for threads in (1, 2):
            reader = model.opened(threads).graph("prefill")
            for count in (1, 2, 9):
                assert prefilled(reader, model.bundle, range(count), tokens) == expected[:count]


@pytest.mark.parametrize("size", [200, 24])
def test_text_in_any_batch_under_any_padding(artifact: Artifact, size: int, tmp_path: Path) -> None:
    model = written(untrained_classifier(size=size), artifact, tmp_path)
    model.hold(whole(model, "classifier"), FEW, (1, 2))


def test_source_sentence_in_any_batch_under_any_padding(artifact: Artifact, tmp_path: Path) -> None:
    model = written(untrained_translator(size=128), artifact, tmp_path)
    model.hold(whole(model, "encoder"), FEW, (1, 2))


@pytest.mark.parametrize("longest", [13, 45])
def test_translation_step_under_any_padding(artifact: Artifact, longest: int, tmp_path: Path) -> None:
    model = written(untrained_translator(size=128), artifact, tmp_path)
    model.hold(step(model, longest), SOME, (1, 2))


@pytest.mark.slow
def test_every_batch_of_the_widths_that_are_shipped(artifact: Artifact, tmp_path: Path) -> None:
    every = range(1, 71)
    for number, (source, graphs) in enumerate(
        (
            (untrained_generator(hidden_size=512), ("step",)),
            (untrained_classifier(size=200), ("classifier",)),
            (untrained_translator(size=256), ("encoder", "step")),
        )
    ):
        model = written(source, artifact, tmp_path / str(number))
        for graph in graphs:
            model.hold(step(model) if graph == "step" else whole(model, graph), every, (1, 2))
