"""One time step of each recurrent cell, from its equations.

Every step takes the input's share of the pre-activations, already multiplied, so that a whole
sequence needs one matrix product for its inputs and only the recurrent product is sequential.

Sources: Elman (1990) for the vanilla cell; Hochreiter & Schmidhuber (1997) with the forget gate
of Gers et al. (2000) for the LSTM; Cho et al. (2014) for the GRU, in the variant that resets the
*projected* state, which is the one `torch.nn.GRU` and cuDNN compute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import linear

from ostinato_models import names

CellName: TypeAlias = names.CellName
State: TypeAlias = tuple[Tensor, ...]
StepFunction: TypeAlias = Callable[[Tensor, State, Tensor, Tensor], State]

GATES: dict[CellName, int] = {"rnn": 1, "lstm": 4, "gru": 3}
"""Blocks of rows in a cell's weights: LSTM i, f, g, o; GRU r, z, n."""

STATES: dict[CellName, int] = {"rnn": 1, "lstm": 2, "gru": 1}
"""Tensors in a cell's state: the hidden state, and for the LSTM the cell state after it."""


def rnn_step(projected: Tensor, state: State, weight_hh: Tensor, bias_hh: Tensor) -> State:
    """Vanilla cell: ``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)``.

    Args:
        projected: ``W_ih x + b_ih``, shape (B, H).
        state: ``(h,)``, shape (B, H).
        weight_hh: shape (H, H).
        bias_hh: shape (H,).

    Returns:
        ``(h',)``.
    """
    (hidden,) = state
    return (torch.tanh(projected + linear(hidden, weight_hh, bias_hh)),)


def lstm_step(projected: Tensor, state: State, weight_hh: Tensor, bias_hh: Tensor) -> State:
    """LSTM cell: ``c' = f * c + i * g`` and ``h' = o * tanh(c')``.

    Args:
        projected: ``W_ih x + b_ih``, shape (B, 4H), gates in the order i, f, g, o.
        state: ``(h, c)``, each (B, H).
        weight_hh: shape (4H, H).
        bias_hh: shape (4H,).

    Returns:
        ``(h', c')``.
    """
    hidden, memory = state
    gates = projected + linear(hidden, weight_hh, bias_hh)  # (B, 4H)
    enter, forget, candidate, leave = gates.chunk(4, dim=-1)
    memory = torch.sigmoid(forget) * memory + torch.sigmoid(enter) * torch.tanh(candidate)
    return torch.sigmoid(leave) * torch.tanh(memory), memory


def gru_step(projected: Tensor, state: State, weight_hh: Tensor, bias_hh: Tensor) -> State:
    """GRU cell: ``n = tanh(W_in x + r * (W_hn h + b_hn))`` and ``h' = (1 - z) * n + z * h``.

    Args:
        projected: ``W_ih x + b_ih``, shape (B, 3H), gates in the order r, z, n.
        state: ``(h,)``, shape (B, H).
        weight_hh: shape (3H, H).
        bias_hh: shape (3H,).

    Returns:
        ``(h',)``.
    """
    (hidden,) = state
    reset_x, update_x, new_x = projected.chunk(3, dim=-1)
    reset_h, update_h, new_h = linear(hidden, weight_hh, bias_hh).chunk(3, dim=-1)
    reset = torch.sigmoid(reset_x + reset_h)
    update = torch.sigmoid(update_x + update_h)
    new = torch.tanh(new_x + reset * new_h)
    return (torch.lerp(new, hidden, update),)


STEPS: dict[CellName, StepFunction] = {"rnn": rnn_step, "lstm": lstm_step, "gru": gru_step}
