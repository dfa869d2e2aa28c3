"""Many networks of one architecture and size, computed as one batched network.

Small networks spend their time on calling operations, not in them. N networks stacked along a new
first axis need as many calls as one, which makes trainings over seeds and learning rates affordable.
Numbers are those of `Answerer`, up to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from types import MappingProxyType
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from ostinato_models.lab.synthetic.architectures import Answerer, Architecture
from ostinato_models.networks.cells import CellName


class Weights(NamedTuple):
    """One layer of every network and direction, the N*D of them along the first axis."""

    weight_ih: Tensor  # (N*D, I, G*H)
    weight_hh: Tensor  # (N*D, H, G*H)
    bias_ih: Tensor  # (N*D, 1, G*H)
    bias_hh: Tensor  # (N*D, 1, G*H)


class Layer(Protocol):
    """Runs a layer over time: inputs (N*D, T*B, I), T and weights to T states (N*D, B, H)."""

    def __call__(self, inputs: Tensor, steps: int, weights: Weights) -> list[Tensor]:
        """Return the hidden state after each step."""
        ...


class Stack:
    """The shape of N networks and their answers; the parameters are kept outside, (N, P)."""

    def __init__(self, like: Answerer, architecture: Architecture) -> None:
        """Take the shape of `like`, a network of `architecture`."""
        self.architecture = architecture
        self.answers = like.answers
        self.shapes = [tuple(parameter.shape) for parameter in like.parameters()]

    def answer(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        """Answer with every network.

        Args:
            parameters: (N, P), rows as `parameters_to_vector` makes them.
            inputs: a batch of its own for every network, (N, B, T, I).

        Returns:
            (N, B, A, O), or (N, B, O) when there is one answer after all steps.
        """
        count, batch, steps, _ = inputs.shape
        pieces = torch.split(parameters, [prod(shape) for shape in self.shapes], dim=1)
        *recurrent, weight, bias = (piece.view(count, *shape) for piece, shape in zip(pieces, self.shapes, strict=True))
        weights = Weights(*(_merged(recurrent[kind :: len(Weights._fields)]) for kind in range(len(Weights._fields))))
        read = [inputs, inputs.flip(2)] if self.architecture.bidirectional else [inputs]
        timed = torch.stack(read, dim=1).flatten(0, 1).transpose(1, 2).flatten(1, 2)  # (N*D, T*B, I)
        states = LAYERS[self.architecture.cell](timed, steps, weights)  # T of (N*D, B, H)
        if self.answers:
            hidden = torch.stack(states, dim=2).view(count, len(read), batch, steps, -1)
            outputs = [hidden[:, 0], hidden[:, 1].flip(2)] if self.architecture.bidirectional else [hidden[:, 0]]
            features = torch.cat(outputs, dim=-1)[:, :, -self.answers :]  # (N, B, A, D*H)
        else:
            last = states[-1].view(count, len(read), batch, -1)
            features = last.transpose(1, 2).flatten(2)  # (N, B, D*H)
        flat = features.reshape(count, -1, features.shape[-1])
        answered = torch.baddbmm(bias.unsqueeze(1), flat, weight.transpose(1, 2))
        return answered.view(*features.shape[:-1], -1)


def stacked(networks: Sequence[Answerer]) -> Tensor:
    """The parameters of `networks`, a row each, (N, P), apart from them."""
    return torch.stack([parameters_to_vector(network.parameters()).detach() for network in networks])


def rnn_layer(inputs: Tensor, steps: int, weights: Weights) -> list[Tensor]:
    """Vanilla cell over time, as `rnn_step`."""
    bias = weights.bias_ih + weights.bias_hh
    projected = torch.baddbmm(bias, inputs, weights.weight_ih).chunk(steps, dim=1)
    hidden = _zeros(projected[0], weights)
    states: list[Tensor] = []
    for step in projected:
        hidden = torch.baddbmm(step, hidden, weights.weight_hh).tanh()
        states.append(hidden)
    return states


def lstm_layer(inputs: Tensor, steps: int, weights: Weights) -> list[Tensor]:
    """LSTM over time, as `lstm_step`."""
    bias = weights.bias_ih + weights.bias_hh
    projected = torch.baddbmm(bias, inputs, weights.weight_ih).chunk(steps, dim=1)
    hidden = memory = _zeros(projected[0], weights)
    states: list[Tensor] = []
    for step in projected:
        enter, forget, candidate, leave = torch.baddbmm(step, hidden, weights.weight_hh).chunk(4, dim=-1)
        memory = torch.addcmul(forget.sigmoid() * memory, enter.sigmoid(), candidate.tanh())
        hidden = leave.sigmoid() * memory.tanh()
        states.append(hidden)
    return states


def gru_layer(inputs: Tensor, steps: int, weights: Weights) -> list[Tensor]:
    """GRU over time, as `gru_step`."""
    size = weights.weight_hh.shape[1]
    parts = [2 * size, size]  # reset and update gate together, the new state apart
    gates_in, new_in = torch.split(torch.baddbmm(weights.bias_ih, inputs, weights.weight_ih), parts, dim=-1)
    gates_in = gates_in + weights.bias_hh[..., : 2 * size]
    gates_weight, new_weight = (part.contiguous() for part in torch.split(weights.weight_hh, parts, dim=-1))
    new_bias = weights.bias_hh[..., 2 * size :]
    projected = list(zip(gates_in.chunk(steps, dim=1), new_in.chunk(steps, dim=1), strict=True))
    hidden = _zeros(projected[0][1], weights)
    states: list[Tensor] = []
    for gates_x, new_x in projected:
        reset, update = torch.baddbmm(gates_x, hidden, gates_weight).sigmoid().chunk(2, dim=-1)
        new = torch.addcmul(new_x, reset, torch.baddbmm(new_bias, hidden, new_weight)).tanh()
        hidden = torch.lerp(new, hidden, update)
        states.append(hidden)
    return states


LAYERS: Mapping[CellName, Layer] = MappingProxyType({"rnn": rnn_layer, "lstm": lstm_layer, "gru": gru_layer})


def _merged(directions: Sequence[Tensor]) -> Tensor:
    """Directions of (N, G*H, I) or (N, G*H) to (N*D, I, G*H) or (N*D, 1, G*H)."""
    merged = torch.stack(list(directions), dim=1).flatten(0, 1)
    return merged.transpose(1, 2).contiguous() if merged.dim() == 3 else merged.unsqueeze(1)


def _zeros(step: Tensor, weights: Weights) -> Tensor:
    """The state before the first step, (N*D, B, H)."""
    return step.new_zeros(step.shape[0], step.shape[1], weights.weight_hh.shape[1])
