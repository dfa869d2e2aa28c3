"""Encoder memory of the streams in a step table: one block, a row per stream, padded to a common source length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato_bundle import Tensor
from ostinato_server.runtime.base import FloatArray

SOURCE_STEP = 16
"""Source lengths are padded up to a multiple of this, so that the shapes a session sees are few."""


class MemoryBlock:
    """The memory tensors of up to ``capacity`` streams, each (capacity, source, …), source common to all.

    The block grows when a longer source comes and starts over when it is empty again; a stream joining or leaving
    copies one row, never the block.
    """

    def __init__(self, tensors: Sequence[Tensor], capacity: int) -> None:
        self.names = tuple(tensor.name for tensor in tensors)
        self._tails = tuple(tensor.shape[2:] for tensor in tensors)
        self._capacity = capacity
        self._lengths = [0] * capacity
        self.source = 0
        self.blocks: list[FloatArray] = []
        self._resize(SOURCE_STEP)

    def write(self, row: int, memory: Sequence[FloatArray], alone: bool) -> bool:
        """Puts a stream's memory into a row.

        Args:
            row: The row.
            memory: One array (source, …) per tensor.
            alone: Whether no other row is live, so that the block may shrink.

        Returns:
            Whether the arrays in ``blocks`` are new ones.
        """
        length = memory[0].shape[0]
        wanted = -(-length // SOURCE_STEP) * SOURCE_STEP
        resized = wanted > self.source or (alone and wanted < self.source)
        if resized:
            self._resize(wanted)
        self._lengths[row] = length
        for block, part in zip(self.blocks, memory, strict=True):
            block[row, :length] = part
            block[row, length:] = 0.0
        return resized

    def read(self, row: int) -> tuple[FloatArray, ...]:
        """Copies a row out, without its padding."""
        return tuple(block[row, : self._lengths[row]].copy() for block in self.blocks)

    def move(self, source: int, target: int) -> None:
        """Copies a row over another."""
        self._lengths[target] = self._lengths[source]
        for block in self.blocks:
            block[target] = block[source]

    def _resize(self, source: int) -> None:
        kept = min(source, self.source)
        blocks = [np.zeros((self._capacity, source, *tail), np.float32) for tail in self._tails]
        for new, old in zip(blocks, self.blocks, strict=False):
            new[:, :kept] = old[:, :kept]
        self.blocks, self.source = blocks, source
