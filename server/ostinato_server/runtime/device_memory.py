"""Encoder memory of the streams in a step table, on the device that reads it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ostinato_bundle import Tensor
from ostinato_server.runtime.base import FloatArray
from ostinato_server.runtime.memory import MemoryBlock


class DeviceMemory:
    """A `MemoryBlock` as tensors.

    A CPU's tensors are the block's own arrays. Another device has a copy, which follows a row at a time; only a block
    of another size goes over as a whole.

    Args:
        tensors: The memory tensors.
        capacity: Rows.
        device: Where they are read.
    """

    def __init__(self, tensors: Sequence[Tensor], capacity: int, device: torch.device) -> None:
        self._block = MemoryBlock(tensors, capacity)
        self._device = device
        self.tensors: dict[str, torch.Tensor] = {}
        self._take_over()

    def write(self, row: int, memory: Sequence[FloatArray], alone: bool) -> None:
        """As `MemoryBlock.write`."""
        if self._block.write(row, memory, alone):
            self._take_over()
        elif self._is_copy:
            for tensor, block in zip(self.tensors.values(), self._block.blocks, strict=True):
                tensor[row].copy_(torch.from_numpy(block[row]))

    def read(self, row: int) -> tuple[FloatArray, ...]:
        """As `MemoryBlock.read`; the device is not asked."""
        return self._block.read(row)

    def move(self, source: int, target: int) -> None:
        """As `MemoryBlock.move`."""
        self._block.move(source, target)
        if self._is_copy:
            for tensor in self.tensors.values():
                tensor[target].copy_(tensor[source])

    @property
    def _is_copy(self) -> bool:
        return self._device.type != "cpu"

    def _take_over(self) -> None:
        self.tensors = {
            name: torch.from_numpy(block).to(self._device)
            for name, block in zip(self._block.names, self._block.blocks, strict=True)
        }
