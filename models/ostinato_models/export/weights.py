"""The canonical weights, and their layout in exported graphs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ostinato_models.export.quantization import FloatArray
from ostinato_models.networks.cells import GATES, CellName

Weights = Mapping[str, FloatArray]
"""Parameters by their PyTorch names; every value is one that fp16 can hold."""


@dataclass(frozen=True, slots=True)
class CellWeights:
    """One layer in one direction, biases merged, gates in the exported order.

    LSTM gates are i, f, o, g, so that one sigmoid covers the first three. `recurrent_bias` is what must not be merged
    into the input's: the GRU's ``b_hn``, which the reset gate multiplies.
    """

    cell: CellName
    input: FloatArray  # (G*H, I)
    recurrent: FloatArray  # (G*H, H)
    input_bias: FloatArray  # (G*H,)
    recurrent_bias: FloatArray | None  # (G*H,)

    @property
    def size(self) -> int:
        """Width of the hidden state, H."""
        return int(self.recurrent.shape[1])

    @property
    def states(self) -> int:
        """Tensors in the state."""
        return 2 if self.cell == "lstm" else 1


def cell_weights(weights: Weights, prefix: str, cell: CellName, layer: int, *, reverse: bool = False) -> CellWeights:
    """Read a layer of the stack whose parameters start with `prefix`."""
    suffix = f"l{layer}{'_reverse' if reverse else ''}"
    own = {kind: weights[f"{prefix}{kind}_{suffix}"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    size = own["weight_hh"].shape[1]
    order = np.arange(GATES[cell] * size).reshape(-1, size)
    if cell == "lstm":
        order = order[[0, 1, 3, 2]]
    rows = order.reshape(-1)
    input_bias, recurrent_bias = own["bias_ih"] + own["bias_hh"], None
    if cell == "gru":
        recurrent_bias = own["bias_hh"].copy()
        recurrent_bias[: 2 * size] = 0.0
        input_bias = own["bias_ih"] + own["bias_hh"]
        input_bias[2 * size :] = own["bias_ih"][2 * size :]
    return CellWeights(cell, own["weight_ih"][rows], own["weight_hh"][rows], input_bias[rows], recurrent_bias)
