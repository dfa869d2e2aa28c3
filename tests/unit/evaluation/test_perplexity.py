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
    given = logprobs.gather(1, tokens[0, 1:, None] - 1)[-scored:]
    return float(-given.mean())


@pytest.mark.parametrize(("artifact", "tolerance"), [("onnx", 1e-5), ("torchscript", 1e-5), ("onnx-int8", 0.02)])
def test_every_character_is_predicted_from_all_before_it(bundle: Path, artifact: Artifact, tolerance: float) -> None:
    run, signature = open_score(bundle, artifact)
    measured = nats_per_char(run, signature, NOTHING, TOKENS)
    assert measured.count == len(TOKENS) - 1  # the first has nothing before it
    assert measured.measures["nats_per_char"] == pytest.approx(eager(TOKENS, len(TOKENS) - 1), abs=tolerance)


def test_context_is_read_and_not_scored(bundle: Path) -> None:
    run, signature = open_score(bundle, "onnx")
    measured = nats_per_char(run, signature, TOKENS[:40], TOKENS[40:])
    assert measured.count == len(TOKENS) - 40
    assert measured.measures["nats_per_char"] == pytest.approx(eager(TOKENS, len(TOKENS) - 40), abs=1e-5)


@pytest.mark.parametrize("lanes", [2, 7, 64])
def test_lanes_score_every_character_once_and_agree_when_they_see_all_before_them(bundle: Path, lanes: int) -> None:
    run, signature = open_score(bundle, "onnx")
    exact = nats_per_char(run, signature, NOTHING, TOKENS)
    fast = nats_per_char(run, signature, NOTHING, TOKENS, lanes=lanes, warm_up=len(TOKENS))
    assert fast.count == exact.count
    assert fast.measures["nats_per_char"] == pytest.approx(exact.measures["nats_per_char"], abs=1e-6)


def test_text_of_one_character_cannot_be_scored(bundle: Path) -> None:
    run, signature = open_score(bundle, "onnx")
    with pytest.raises(EvaluationError, match="too short"):
        nats_per_char(run, signature, NOTHING, TOKENS[:1])
