"""A whole recurrent layer over time: written out step by step, or handed to torch's kernels.

Both take the same parameters and give the same numbers. The written-out form is the definition;
the fused one is what training uses (measured on one core, LSTM 512 x 512, batch 64: 5.4k
characters/s forward and backward against 4.0k).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import linear
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from ostinato_models.networks.cells import STEPS, CellName, State

KernelName: TypeAlias = Literal["fused", "reference"]


class DirectionWeights(NamedTuple):
    """The parameters of one layer in one direction, laid out as `torch.nn` lays them out."""

    weight_ih: Tensor  # (G*H, I)
    weight_hh: Tensor  # (G*H, H)
    bias_ih: Tensor  # (G*H,)
    bias_hh: Tensor  # (G*H,)


def reference_layer(
    cell: CellName,
    inputs: Tensor,
    state: State,
    directions: Sequence[DirectionWeights],
    lengths: Tensor | None,
) -> tuple[Tensor, State]:
    """Run one layer by stepping its cell through time.

    A step outside a row's length leaves the row's state as it was and outputs zero, which is what
    a packed sequence means: the reverse direction starts at a row's own last token.

    Args:
        cell: which cell.
        inputs: shape (B, T, I).
        state: initial state, each tensor (D, B, H).
        directions: D weights, the forward direction first.
        lengths: valid steps of every row, shape (B,), or None when all are T.

    Returns:
        Outputs (B, T, D*H) and the final state, each tensor (D, B, H).
    """
    outputs: list[Tensor] = []
    finals: list[State] = []
    for index, weights in enumerate(directions):
        projected = linear(inputs, weights.weight_ih, weights.bias_ih)  # (B, T, G*H)
        current: State = tuple(part[index] for part in state)
        steps = range(inputs.shape[1])
        trace: dict[int, Tensor] = {}
        for time in reversed(steps) if index else steps:
            following = STEPS[cell](projected[:, time], current, weights.weight_hh, weights.bias_hh)
            if lengths is not None:
                valid = (lengths.to(inputs.device) > time).unsqueeze(-1)  # (B, 1)
                following = tuple(torch.where(valid, new, old) for new, old in zip(following, current, strict=True))
                trace[time] = following[0] * valid
            else:
                trace[time] = following[0]
            current = following
        outputs.append(torch.stack([trace[time] for time in steps], dim=1))
        finals.append(current)
    return torch.cat(outputs, dim=-1), tuple(torch.stack(parts) for parts in zip(*finals, strict=True))


def fused_layer(
    cell: CellName,
    inputs: Tensor,
    state: State,
    directions: Sequence[DirectionWeights],
    lengths: Tensor | None,
) -> tuple[Tensor, State]:
    """Run one layer through torch's kernel; arguments and results as in `reference_layer`.

    Under autocast on a CPU the recurrence runs in bfloat16 where the processor computes in it, and
    in fp32 where it does not; the results are fp32 either way.
    """
    if inputs.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        kind = cpu_recurrence_dtype(cell, torch.get_autocast_dtype("cpu"))
        with torch.autocast("cpu", enabled=False):
            rounded, state = fused_layer(
                cell,
                inputs.to(kind),
                tuple(part.to(kind) for part in state),
                [DirectionWeights(*(tensor.to(kind) for tensor in weights)) for weights in directions],
                lengths,
            )
        return rounded.float(), tuple(part.float() for part in state)
    flat = [tensor for weights in directions for tensor in weights]
    both = len(directions) == 2
    if lengths is None:
        output, *final = _whole(cell, inputs, state, flat, both)
        return output, tuple(final)
    packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
    order, restore = packed.sorted_indices, packed.unsorted_indices
    assert order is not None and restore is not None  # noqa: PT018, S101 (for the type checker)
    ordered = tuple(part.index_select(1, order) for part in state)
    data, *final = _packed(cell, packed, ordered, flat, both)
    output, _ = pad_packed_sequence(
        PackedSequence(data, packed.batch_sizes, order, restore),
        batch_first=True,
        total_length=inputs.shape[1],
    )
    return output, tuple(part.index_select(1, restore) for part in final)


def cpu_recurrence_dtype(cell: CellName, asked: torch.dtype) -> torch.dtype:
    """What a recurrence asked for in `asked` runs in on this CPU.

    Only the LSTM has a bfloat16 kernel (oneDNN's), and only on processors with AVX-512 or AMX;
    measured on one core with AVX512-BF16, LSTM 512 x 512: 1.6 times the characters/s of fp32.
    """
    if cell == "lstm" and asked == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.bfloat16
    return torch.float32


def _whole(cell: CellName, inputs: Tensor, state: State, flat: list[Tensor], both: bool) -> tuple[Tensor, ...]:
    """Call the kernel on equally long rows: biases, 1 layer, no dropout, training, batch first."""
    if cell == "lstm":
        return torch.lstm(inputs, state, flat, True, 1, 0.0, True, both, True)
    kernel = torch.gru if cell == "gru" else torch.rnn_tanh
    return kernel(inputs, state[0], flat, True, 1, 0.0, True, both, True)


def _packed(cell: CellName, packed: PackedSequence, state: State, flat: list[Tensor], both: bool) -> tuple[Tensor, ...]:
    """Call the kernel on rows of their own lengths: biases, 1 layer, no dropout, training."""
    data, sizes = packed.data, packed.batch_sizes
    if cell == "lstm":
        return torch.lstm(data, sizes, state, flat, True, 1, 0.0, True, both)
    kernel = torch.gru if cell == "gru" else torch.rnn_tanh
    return kernel(data, sizes, state[0], flat, True, 1, 0.0, True, both)
