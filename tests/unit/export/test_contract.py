"""What a server may rely on in every graph."""

from pathlib import Path

import numpy as np
import pytest
from tests.unit.export.graphs import ALL, opened, rows_of, states_after

from ostinato_bundle import Artifact
from ostinato_models.export.execution import Array
from ostinato_models.export.untrained import untrained_generator, untrained_translator


def generation_inputs(rows: int, **settings: float) -> dict[str, Array]:
    random = np.random.default_rng(3)
    return {
        "token": random.integers(0, 63, rows),
        **{f"state_{index}": random.uniform(-1, 1, (rows, 32)).astype(np.float32) for index in range(4)},
        "temperature": np.full(rows, settings.get("temperature", 1.0), np.float32),
        "top_k": np.zeros(rows, np.int64),
        "top_p": np.ones(rows, np.float32),
        "uniform": random.random(rows, dtype=np.float32),
    }


@pytest.mark.parametrize("artifact", ALL)
def test_reserved_tokens_are_never_generated(artifact: Artifact, tmp_path: Path) -> None:
    step = opened(untrained_generator(), artifact, tmp_path, "step")["step"]
    result = step(generation_inputs(500, temperature=50.0))
    assert result["next_token"].min() == 1  # all others were, at this temperature
    assert result["top_tokens"].min() >= 1


@pytest.mark.parametrize("artifact", ALL)
def test_logprob_is_that_of_the_model_whatever_the_temperature(artifact: Artifact, tmp_path: Path) -> None:
    step = opened(untrained_generator(), artifact, tmp_path, "step")["step"]
    cold, hot = (step(generation_inputs(40, temperature=value)) for value in (0.0, 2.0))
    np.testing.assert_array_equal(cold["next_token"], cold["top_tokens"][:, 0])
    np.testing.assert_array_equal(cold["logprob"], cold["top_logprobs"][:, 0])
    np.testing.assert_array_equal(hot["top_logprobs"], cold["top_logprobs"])
    for row, token in enumerate(hot["next_token"]):
        place = np.flatnonzero(hot["top_tokens"][row] == token)
        if len(place):
            assert hot["logprob"][row] == hot["top_logprobs"][row, place[0]]


@pytest.mark.parametrize("artifact", ALL)
def test_alternatives_are_sorted_and_hold_probabilities_over_what_can_be_generated(
    artifact: Artifact, tmp_path: Path
) -> None:
    step = opened(untrained_generator(), artifact, tmp_path, "step")["step"]
    result = step(generation_inputs(7))
    assert result["top_tokens"].shape == result["top_logprobs"].shape == (7, 20)
    assert (np.diff(result["top_logprobs"], axis=1) <= 0).all()
    mass = np.exp(result["top_logprobs"]).sum(axis=1)
    assert ((mass > 0.3) & (mass < 1.0)).all()


@pytest.mark.parametrize("artifact", ALL)
def test_attention_is_a_distribution_over_the_valid_source(artifact: Artifact, tmp_path: Path) -> None:
    runs = opened(untrained_translator(), artifact, tmp_path)
    lengths = np.array([3, 9, 1])
    encoded = runs["encoder"]({"tokens": np.full((3, 9), 7), "lengths": lengths})
    memory = {name: encoded[name] for name in ("memory_0", "memory_1")}
    result = runs["step"]({"token": np.full(3, 2), **states_after(encoded), **memory, "lengths": lengths})
    np.testing.assert_allclose(result["attention"].sum(axis=1), 1.0, atol=1e-6)
    assert [int(np.count_nonzero(row)) for row in result["attention"]] == [3, 9, 1]
    assert result["top_tokens"].min() >= 3
    np.testing.assert_array_equal(result["next_token"], result["top_tokens"][:, 0])


def test_model_without_attention_has_no_memory(tmp_path: Path) -> None:
    runs = opened(untrained_translator(attention=None), "onnx", tmp_path)
    encoded = runs["encoder"]({"tokens": np.full((2, 4), 7), "lengths": np.array([4, 2])})
    assert list(encoded) == ["next_state_0", "next_state_1"]


@pytest.mark.parametrize("length", [1, 6])
def test_torchscript_prefill_gives_the_bits_of_its_steps(length: int, tmp_path: Path) -> None:
    runs = opened(untrained_generator(), "torchscript", tmp_path)
    inputs = generation_inputs(5)
    tokens = np.random.default_rng(1).integers(0, 63, (5, length))
    states = {name: value for name, value in inputs.items() if name.startswith("state_")}
    read = states_after(runs["prefill"]({"tokens": tokens, **states}))
    for time in range(length):
        states = states_after(runs["step"]({**inputs, **states, "token": tokens[:, time]}))
    for name, value in states.items():
        np.testing.assert_array_equal(read[name], value)


def test_torchscript_rows_differ_by_rounding_alone(tmp_path: Path) -> None:
    """Bit-identical rows are promised for ONNX; torch's kernels sum one row in another order than many."""
    step = opened(untrained_generator(), "torchscript", tmp_path, "step")["step"]
    inputs = generation_inputs(17)
    whole, alone = step(inputs), step(rows_of(inputs, 4, 5))
    np.testing.assert_allclose(whole["next_state_3"][4:5], alone["next_state_3"], atol=1e-6)
