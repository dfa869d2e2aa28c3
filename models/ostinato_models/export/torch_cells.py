"""Recurrent layers that TorchScript compiles: the cells of `ostinato_models.networks.cells` in its own subset.

Loops stay loops (these functions are scripted, not traced), so any number of steps and rows runs, and a prompt read in
one call goes through the same operations as step after step.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear


def cell_step(cell: str, projected: Tensor, state: list[Tensor], weight_hh: Tensor, bias_hh: Tensor) -> list[Tensor]:
    """One step: projected (B, G*H) and the state, each (B, H), to the new state; gate orders as in `torch.nn`."""
    hidden = state[0]
    recurrent = linear(hidden, weight_hh, bias_hh)
    if cell == "lstm":
        enter, forget, candidate, leave = (projected + recurrent).chunk(4, dim=1)
        memory = torch.sigmoid(forget) * state[1] + torch.sigmoid(enter) * torch.tanh(candidate)
        return [torch.sigmoid(leave) * torch.tanh(memory), memory]
    if cell == "gru":
        reset_x, update_x, new_x = projected.chunk(3, dim=1)
        reset_h, update_h, new_h = recurrent.chunk(3, dim=1)
        update = torch.sigmoid(update_x + update_h)
        new = torch.tanh(new_x + torch.sigmoid(reset_x + reset_h) * new_h)
        return [new + update * (hidden - new)]
    return [torch.tanh(projected + recurrent)]


def read_tokens(
    cell: str, embedding: Tensor, tokens: Tensor, state: list[Tensor], weights: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Run a stack over tokens (B, T), step by step.

    Args:
        cell: which cell.
        embedding: table (V, E).
        tokens: token ids, int64 (B, T).
        state: every layer's state in turn, each (B, H).
        weights: weight_ih, weight_hh, bias_ih and bias_hh of every layer in turn.

    Returns:
        The top layer's hidden state after the last token (B, H), and the new state.
    """
    layers = len(weights) // 4
    width = len(state) // layers
    for time in range(tokens.size(1)):
        below = embedding[tokens[:, time]]
        following: list[Tensor] = []
        for layer in range(layers):
            projected = linear(below, weights[4 * layer], weights[4 * layer + 2])
            own = state[layer * width : (layer + 1) * width]
            new = cell_step(cell, projected, own, weights[4 * layer + 1], weights[4 * layer + 3])
            below = new[0]
            following += new
        state = following
    return state[(layers - 1) * width], state


def read_masked(
    cell: str, inputs: Tensor, lengths: Tensor, weights: list[Tensor], reverse: bool
) -> tuple[Tensor, list[Tensor]]:
    """Run one layer in one direction over padded rows, from the zero state.

    Args:
        cell: which cell.
        inputs: (B, T, I).
        lengths: valid steps of every row, (B,).
        weights: weight_ih, weight_hh, bias_ih and bias_hh.
        reverse: read from every row's own last step to its first.

    Returns:
        Outputs (B, T, H), zero after a row's length, and the state after the row's last step read, each (B, H).
    """
    steps, size = inputs.size(1), weights[1].size(1)
    projected = linear(inputs, weights[0], weights[2])
    state = [inputs.new_zeros(inputs.size(0), size) for _ in range(2 if cell == "lstm" else 1)]
    outputs = inputs.new_zeros(inputs.size(0), steps, size)
    for index in range(steps):
        time = steps - 1 - index if reverse else index
        new = cell_step(cell, projected[:, time], state, weights[1], weights[3])
        valid = (lengths > time).unsqueeze(1)
        state = [torch.where(valid, new[part], state[part]) for part in range(len(state))]
        outputs[:, time] = torch.where(valid, new[0], torch.zeros_like(new[0]))
    return outputs, state


def source_mask(lengths: Tensor, values: Tensor) -> Tensor:
    """Which of the positions in values (B, S, …) exist: bool (B, S)."""
    return torch.arange(values.size(1), device=lengths.device) < lengths.unsqueeze(1)


def pool(outputs: Tensor, lengths: Tensor, largest: bool) -> Tensor:
    """Reduce outputs (B, T, F) over every row's valid steps, to the maximum or the mean (B, F)."""
    valid = (torch.arange(outputs.size(1), device=lengths.device) < lengths.unsqueeze(1)).unsqueeze(2)
    if largest:
        return outputs.masked_fill(~valid, -2.0).amax(dim=1)
    return torch.where(valid, outputs, torch.zeros_like(outputs)).sum(dim=1) / lengths.unsqueeze(1)


def score_tokens(
    cell: str,
    embedding: Tensor,
    tokens: Tensor,
    targets: Tensor,
    state: list[Tensor],
    weights: list[Tensor],
    output_weight: Tensor,
    output_bias: Tensor,
) -> tuple[Tensor, list[Tensor]]:
    """Log-probabilities of targets (B, T), each given the tokens (B, T) up to its own place, and the new state.

    Targets index the rows of the output weights (N, H); a negative one stands for a token that has no row, and has
    log-probability -inf. The other arguments are those of `read_tokens`.
    """
    omitted, inside = targets < 0, targets.clamp(min=0)
    scores: list[Tensor] = []
    for time in range(tokens.size(1)):
        hidden, state = read_tokens(cell, embedding, tokens[:, time : time + 1], state, weights)
        logprobs = torch.log_softmax(linear(hidden, output_weight, output_bias), dim=1)
        scores.append(logprobs.gather(1, inside[:, time : time + 1]))
    return torch.cat(scores, dim=1).masked_fill(omitted, -float("inf")), state
