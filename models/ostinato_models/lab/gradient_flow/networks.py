"""The networks measured: the project's own, opened at every step.

The character language model of the project is taken as it is; its recurrence is stepped here by
the project's cells, so that every state is a node whose gradient can be asked for. Two activations
that the models do not use are added to the vanilla cell: ReLU, and none (the control for which the
theory is exact).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ostinato_models.networks import CharLanguageModel, CharLanguageModelConfig
from ostinato_models.networks.cells import STEPS, CellName, State, StepFunction

NetworkName: TypeAlias = Literal["linear", "rnn-tanh", "rnn-relu", "lstm", "gru"]
Initialisation: TypeAlias = Literal["orthogonal", "gaussian"]


def linear_step(projected: Tensor, state: State, weight_hh: Tensor, bias_hh: Tensor) -> State:
    """Vanilla cell without an activation; arguments and result as in `rnn_step`."""
    return (projected + linear(state[0], weight_hh, bias_hh),)


def relu_step(projected: Tensor, state: State, weight_hh: Tensor, bias_hh: Tensor) -> State:
    """Vanilla cell with ReLU (Le et al., 2015); arguments and result as in `rnn_step`."""
    return (torch.relu(projected + linear(state[0], weight_hh, bias_hh)),)


@dataclass(frozen=True, slots=True)
class Network:
    """A kind of recurrent network.

    Attributes:
        cell: whose parameters it has.
        step: what it computes with them.
        label: its name in figures.
        bounded: whether the theory bounds its gradient: the vanilla cells, whose steepest slope is 1.
    """

    cell: CellName
    step: StepFunction
    label: str
    bounded: bool


NETWORKS: Mapping[NetworkName, Network] = MappingProxyType(
    {
        "linear": Network("rnn", linear_step, "linear RNN (control)", bounded=True),
        "rnn-tanh": Network("rnn", STEPS["rnn"], "tanh RNN", bounded=True),
        "rnn-relu": Network("rnn", relu_step, "ReLU RNN", bounded=True),
        "lstm": Network("lstm", STEPS["lstm"], "LSTM", bounded=False),
        "gru": Network("gru", STEPS["gru"], "GRU", bounded=False),
    }
)


def build(
    name: NetworkName,
    *,
    vocabulary_size: int,
    embedding_size: int,
    hidden_size: int,
    initialisation: Initialisation,
    radius: float,
    seed: int,
) -> CharLanguageModel:
    """A one-layer language model whose recurrent matrices have the spectral radius `radius`.

    Everything but the recurrent matrices starts as the project starts it. A gated cell has one
    recurrent matrix a gate, each scaled by itself. Parameters are float64: norms below 1e-38 are
    among what is measured.
    """
    config = CharLanguageModelConfig(
        vocabulary_size=vocabulary_size,
        cell=NETWORKS[name].cell,
        embedding_size=embedding_size,
        hidden_size=hidden_size,
        num_layers=1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CharLanguageModel(config).double()
        with torch.no_grad():
            for gate in torch.split(recurrent_matrix(model), hidden_size):
                gate.copy_(_draw(hidden_size, initialisation, radius))
    return model


def recurrent_matrix(model: CharLanguageModel) -> Tensor:
    """The recurrent matrix of the model's only layer, (G*H, H)."""
    return model.recurrent.layer_weights(0)[0].weight_hh


def unroll(model: CharLanguageModel, step: StepFunction, tokens: Tensor) -> list[State]:
    """Step the model through `tokens`, keeping every state.

    Args:
        model: one layer, one direction.
        step: the cell's equations.
        tokens: character ids, int64 (B, T).

    Returns:
        T + 1 states, the zero state first, each tensor (B, H) and a node of the graph.
    """
    weights = model.recurrent.layer_weights(0)[0]
    projected = linear(model.embedding(tokens), weights.weight_ih, weights.bias_ih)  # (B, T, G*H)
    states: list[State] = [
        tuple(part[:, 0].requires_grad_() for part in model.recurrent.initial_state(tokens.shape[0]))
    ]
    for time in range(tokens.shape[1]):
        states.append(step(projected[:, time], states[-1], weights.weight_hh, weights.bias_hh))
    return states


def _draw(size: int, initialisation: Initialisation, radius: float) -> Tensor:
    matrix = torch.empty(size, size, dtype=torch.float64)
    if initialisation == "orthogonal":
        return nn.init.orthogonal_(matrix).mul_(radius)
    nn.init.normal_(matrix)
    return matrix.mul_(radius / float(torch.linalg.eigvals(matrix).abs().max()))
