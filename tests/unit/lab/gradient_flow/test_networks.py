"""The networks measured are the project's own, opened at every step."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from ostinato_models.lab.gradient_flow.networks import (
    NETWORKS,
    Initialisation,
    NetworkName,
    build,
    linear_step,
    recurrent_matrix,
    relu_step,
    unroll,
)
from ostinato_models.networks import CharLanguageModel

HIDDEN = 12


def network(name: NetworkName, initialisation: Initialisation = "orthogonal", radius: float = 1.0) -> CharLanguageModel:
    return build(
        name,
        vocabulary_size=7,
        embedding_size=5,
        hidden_size=HIDDEN,
        initialisation=initialisation,
        radius=radius,
        seed=1,
    )


def tokens() -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 7, (3, 9)))


@pytest.mark.parametrize("name", ["rnn-tanh", "lstm", "gru"])
def test_unrolled_states_are_those_of_the_model_itself(name: NetworkName) -> None:
    model = network(name)
    outputs, final = model.recurrent(model.embedding(tokens()))

    states = unroll(model, NETWORKS[name].step, tokens())

    torch.testing.assert_close(torch.stack([state[0] for state in states[1:]], dim=1), outputs, rtol=0, atol=1e-12)
    for part, expected in zip(states[-1], final, strict=True):
        torch.testing.assert_close(part, expected[:, 0], rtol=0, atol=1e-12)


def test_the_two_added_activations_are_relu_and_none() -> None:
    inputs, weight, bias = torch.tensor([[-3.0, 0.5]]), torch.eye(2), torch.tensor([0.25, 0.25])
    (linear,) = linear_step(inputs, (torch.ones(1, 2),), weight, bias)
    (relu,) = relu_step(inputs, (torch.ones(1, 2),), weight, bias)
    assert linear.tolist() == [[-1.75, 1.75]]
    assert relu.tolist() == [[0.0, 1.75]]


@pytest.mark.parametrize("name", list(NETWORKS))
@pytest.mark.parametrize("initialisation", ["orthogonal", "gaussian"])
def test_every_gate_has_the_spectral_radius_asked_for(name: NetworkName, initialisation: Initialisation) -> None:
    for gate in torch.split(recurrent_matrix(network(name, initialisation, 1.3)).detach(), HIDDEN):
        assert float(torch.linalg.eigvals(gate).abs().max()) == pytest.approx(1.3, abs=1e-9)


def test_an_orthogonal_matrix_stretches_every_direction_by_its_radius() -> None:
    singular = torch.linalg.svdvals(recurrent_matrix(network("rnn-tanh", "orthogonal", 0.7)).detach())
    assert singular.tolist() == pytest.approx([0.7] * HIDDEN, abs=1e-12)


def test_the_seed_decides_the_weights_and_leaves_torchs_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    drawn = [network("gru").state_dict() for _ in range(2)]
    assert torch.equal(torch.rand(2), expected)
    for first, second in pairwise(drawn):
        assert all(torch.equal(first[name], second[name]) for name in first)
