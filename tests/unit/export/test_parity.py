from pathlib import Path

import numpy as np
import pytest
from tests.unit.export.graphs import ALL

from ostinato_bundle import Artifact, Parity
from ostinato_models.export.differences import Differences
from ostinato_models.export.errors import ParityError
from ostinato_models.export.graphs import graphs_of, write_artifact
from ostinato_models.export.parity import measure_parity
from ostinato_models.export.source import Source
from ostinato_models.export.untrained import untrained_classifier, untrained_generator, untrained_translator

SOURCES = {
    "lstm language model": lambda: untrained_generator(),
    "gru language model": lambda: untrained_generator(cell="gru", num_layers=3),
    "rnn language model": lambda: untrained_generator(cell="rnn", num_layers=1),
    "max-pooled classifier": lambda: untrained_classifier(),
    "mean-pooled gru classifier, two layers": lambda: untrained_classifier(cell="gru", pooling="mean", num_layers=2),
    "last-state forward rnn classifier": lambda: untrained_classifier(cell="rnn", pooling="last", bidirectional=False),
    "general attention": lambda: untrained_translator(),
    "additive attention, two layers": lambda: untrained_translator(attention="additive", num_layers=2),
    "dot attention": lambda: untrained_translator(attention="dot"),
    "no attention": lambda: untrained_translator(attention=None),
}


def parity_of(source: Source, artifact: Artifact, folder: Path, weights: Source | None = None) -> list[Parity]:
    """Parity of a source's files, or of files written from other weights."""
    graphs = graphs_of(weights or source)
    files = {name: folder / f"{name}.{artifact}" for name in graphs.served}
    for name, path in files.items():
        write_artifact(graphs, name, artifact, path)
    return measure_parity(source, graphs, artifact, files)


@pytest.mark.parametrize("artifact", ALL)
@pytest.mark.parametrize("kind", SOURCES)
def test_every_network_is_exported_as_pytorch_computes_it(kind: str, artifact: Artifact, tmp_path: Path) -> None:
    rows = parity_of(SOURCES[kind](), artifact, tmp_path)
    numbers = {row.what: row.max_abs_difference for row in rows}
    choices = numbers.pop("share of chosen tokens that differ", 0.0)
    if artifact == "onnx-int8":
        assert max(numbers.values()) < 0.2
        assert choices < 0.2
    else:
        assert max(numbers.values()) < 1e-5
        assert choices == 0.0


@pytest.mark.parametrize("artifact", ALL)
def test_files_of_other_weights_are_found_out(artifact: Artifact, tmp_path: Path) -> None:
    with pytest.raises(ParityError, match=r"classifier\.\S+: class probabilities is off by"):
        parity_of(untrained_classifier(seed=1), artifact, tmp_path, untrained_classifier(seed=40))


def test_difference_over_its_tolerance_names_file_quantity_difference_and_tolerance() -> None:
    differences = Differences("onnx")
    differences.add("step.onnx", "logprob", np.array([0.5, 1.0]), np.array([0.5, 1.25]))
    with pytest.raises(ParityError) as refused:
        differences.records()
    error = refused.value
    assert (error.file, error.quantity, error.difference) == ("step.onnx", "log-probabilities (nats)", 0.25)
    assert str(error) == "step.onnx: log-probabilities (nats) is off by 0.25; at most 0.001 is allowed"


@pytest.mark.parametrize("wrong", [np.zeros(3), np.array([np.nan, 0.0])])
def test_wrong_shapes_and_nan_are_infinitely_far_off(wrong: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    differences = Differences("onnx-int8")
    differences.add("step.int8.onnx", "state", wrong, np.zeros(2))
    with pytest.raises(ParityError, match="off by inf"):
        differences.records()


def test_largest_difference_of_all_cases_is_recorded() -> None:
    differences = Differences("onnx-int8")
    for value in (0.01, 0.03, 0.02):
        differences.add("f.onnx", "state", np.array([value]), np.zeros(1))
    differences.add_tokens("f.onnx", np.array([1, 2, 3, 4]), np.array([1, 2, 3, 5]))
    differences.add_tokens("f.onnx", np.array([1, 2, 3, 4]), np.array([1, 2, 3, 4]))
    state, tokens = differences.records()
    assert (state.max_abs_difference, state.cases) == (0.03, 3)
    assert (tokens.max_abs_difference, tokens.cases) == (0.125, 2)
