"""Static int8: what a tensor's numbers become, with nothing measured at run time.

Activations are u8 with zero point 128 and a scale fixed at export. Hidden states, contexts and combined vectors lie in
(-1, 1), so 1/127 loses nothing to clipping. A scale measured over the batch, as stock dynamic quantization has it,
would make every row's numbers depend on its neighbours.

Weights are s8, a scale for each output channel, and use 7 of the 8 bits: |q| ≤ 64. AVX2 and AVX-512 without VNNI
multiply u8 by s8 with VPMADDUBSW, which adds two neighbouring products into *16 saturating bits*; 2·255·64 = 32,640
fits in them, 2·255·127 = 64,770 does not. With 7 bits the int32 sum is exact on every machine, and so the same on
every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

ACTIVATION_ZERO_POINT = 128
UNIT_SCALE = 1.0 / 127.0
"""Scale of an activation in (-1, 1)."""

WEIGHT_LEVELS = 64
TABLE_LEVELS = 127


@dataclass(frozen=True, slots=True)
class QuantizedWeight:
    """A matrix in 7 bits: ``weight[n, k] ≈ scale[n] · values[n, k]``."""

    values: NDArray[np.int8]  # (N, K)
    scale: FloatArray  # (N,)


@dataclass(frozen=True, slots=True)
class QuantizedTable:
    """An embedding table as activations: ``table[v, e] ≈ scale · (values[v, e] - 128)``."""

    values: NDArray[np.uint8]  # (V, E)
    scale: float


def quantize_weight(weight: FloatArray) -> QuantizedWeight:
    """Quantize a matrix (N, K), each row with its own scale; a row of zeros stays zero."""
    largest = np.abs(weight).max(axis=1)
    scale = (np.where(largest > 0, largest, 1.0) / WEIGHT_LEVELS).astype(np.float32)
    values = np.rint(weight / scale[:, None]).clip(-WEIGHT_LEVELS, WEIGHT_LEVELS)
    return QuantizedWeight(values.astype(np.int8), scale)


def quantize_table(table: FloatArray) -> QuantizedTable:
    """Quantize an embedding table (V, E) with one scale, so that gathering a row yields quantized activations."""
    largest = float(np.abs(table).max())
    scale = float(np.float32((largest or 1.0) / TABLE_LEVELS))
    values = np.rint(table / scale).clip(-TABLE_LEVELS, TABLE_LEVELS) + ACTIVATION_ZERO_POINT
    return QuantizedTable(values.astype(np.uint8), scale)
