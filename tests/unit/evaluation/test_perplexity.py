from pathlib import Path

import numpy as np
import pytest
import torch
from tests.bundles import build_tiny_bundle

from ostinato_bundle import Artifact
from ostinato_models.evaluation.errors import EvaluationError
from ostinato_models.evaluation.perplexity import WINDOW, nats_per_char, open_score
from ostinato_models.export.untrained import untrained_generator
from ostinato_models.networks import CharLanguageModel

TOKENS = np.random.default_rng(4).integers(1, 63, WINDOW + 90)
NOTHING = np.zeros(0, np.int64)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_bundle(tmp_path_factory.mktemp("repository"), "generation")


def eager(context: np.ndarray[tuple[int], np.dtype[np.int64]], scored: int) -> float:
    """Mean nats of the last `scored` tokens, in PyTorch; only tokens that can be generated share the mass."""
    network = untrained_generator().network()
    assert isinstance(network, CharLanguageModel)
    tokens = torch.from_numpy(context)[None]
    with torch.inference_mode():
        logits, _ = network(tokens[:, :-1])
    logprobs = logits[0, :, 1:].double().log_softmax(dim=1)
    known = tokens[0, 1:] > 0
    given = logprobs.gather(1, (tokens[0, 1:, None] - 1).clamp(min=0))[:, 0]
    return float(-given[-scored:][known[-scored:]].mean())


@pytest.mark.parametrize(("artifact", "tolerance"), [("onnx", 1e-5), ("torchscript", 1e-5), ("onnx-int8", 0.02)])
def test_every_character_is_predicted_from_all_before_it(bundle: Path, artifact: Artifact, tolerance: float) -> None:
    graph = open_score(bundle, artifact)
    measured = nats_per_char(graph, NOTHING, TOKENS)
    assert measured.count == len(TOKENS) - 1  # the first has nothing before it
    assert measured.measures["nats_per_char"] == pytest.approx(eager(TOKENS, len(TOKENS) - 1), abs=tolerance)


def test_context_is_read_and_not_scored(bundle: Path) -> None:
    graph = open_score(bundle, "onnx")
    measured = nats_per_char(graph, TOKENS[:40], TOKENS[40:])
    assert measured.count == len(TOKENS) - 40
    assert measured.measures["nats_per_char"] == pytest.approx(eager(TOKENS, len(TOKENS) - 40), abs=1e-5)


@pytest.mark.parametrize("lanes", [2, 7, 64])
def test_lanes_score_every_character_once_and_agree_when_they_see_all_before_them(bundle: Path, lanes: int) -> None:
    graph = open_score(bundle, "onnx")
    exact = nats_per_char(graph, NOTHING, TOKENS)
    fast = nats_per_char(graph, NOTHING, TOKENS, lanes=lanes, warm_up=len(TOKENS))
    assert fast.count == exact.count
    assert fast.measures["nats_per_char"] == pytest.approx(exact.measures["nats_per_char"], abs=1e-6)


def test_text_of_one_character_cannot_be_scored(bundle: Path) -> None:
    graph = open_score(bundle, "onnx")
    with pytest.raises(EvaluationError, match="too short"):
        nats_per_char(graph, NOTHING, TOKENS[:1])


@pytest.mark.parametrize("artifact", ["onnx", "onnx-int8", "torchscript"])
@pytest.mark.parametrize("lanes", [1, 3])
def test_unknown_targets_are_excluded_and_counted(bundle: Path, artifact: Artifact, lanes: int) -> None:
    """The characters around an unknown one are scored, it is not: whichever id an index would wrap around to."""
    with_unknown = TOKENS.copy()
    with_unknown[[7, 100, 300]] = 0
    graph = open_score(bundle, artifact)
    measured = nats_per_char(graph, NOTHING, with_unknown, lanes=lanes, warm_up=len(TOKENS))
    assert (measured.count, measured.details["unknown_tokens"]) == (len(TOKENS) - 1 - 3, 3)
    expected = eager(with_unknown, len(TOKENS) - 1)
    assert measured.measures["nats_per_char"] == pytest.approx(expected, abs=0.02 if artifact == "onnx-int8" else 1e-5)


@pytest.mark.parametrize("artifact", ["onnx", "torchscript"])
def test_target_that_the_output_layer_omits_has_no_probability(bundle: Path, artifact: Artifact) -> None:
    graph = open_score(bundle, artifact)
    state = {
        tensor.name: np.zeros((1, *tensor.shape[1:]), np.float32)
        for tensor in graph.signature.inputs
        if tensor.name.startswith("state_")
    }
    targets = np.array([[0, 1, 62]])
    logprobs = graph.run({"tokens": np.array([[3, 4, 5]]), "targets": targets, **state})["logprobs"][0]
    assert logprobs[0] == -np.inf
    assert np.isfinite(logprobs[1:]).all()


def test_text_of_unknown_characters_alone_cannot_be_scored(bundle: Path) -> None:
    graph = open_score(bundle, "onnx")
    with pytest.raises(EvaluationError, match="none of its 9 characters after the first is in the vocabulary"):
        nats_per_char(graph, NOTHING, np.zeros(10, np.int64))
