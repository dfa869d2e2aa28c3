"""What an ONNX step table reads and writes, all of it on the host or all of it on a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ostinato_server.runtime.base import FloatArray
from ostinato_server.runtime.onnx_given import (
    Blocks,
    DeviceBlocks,
    DeviceGiven,
    Given,
    HostBlocks,
    HostGiven,
    Shaped,
)
from ostinato_server.runtime.onnx_state import DeviceState, HostState, StateBuffers


class Buffers(Protocol):
    """Makes the buffers of a step table.

    Attributes:
        on_host: Whether the state can be looked at without a copy.
    """

    on_host: bool

    def state(self, rows: Sequence[tuple[int, ...]], capacity: int) -> StateBuffers:
        """Two sets of state tensors, with rows of these shapes."""

    def blocks(self, arrays: Sequence[FloatArray]) -> Blocks:
        """What reads arrays that change seldom."""

    def given(self, arrays: Sequence[Shaped]) -> Given:
        """Arrays of these shapes and types."""


class HostBuffers:
    """All of it on the host."""

    on_host = True

    def state(self, rows: Sequence[tuple[int, ...]], capacity: int) -> HostState:
        """Two sets of state tensors."""
        return HostState(rows, capacity)

    def blocks(self, arrays: Sequence[FloatArray]) -> HostBlocks:
        """The arrays themselves."""
        return HostBlocks(arrays)

    def given(self, arrays: Sequence[Shaped]) -> HostGiven:
        """Arrays of these shapes and types."""
        return HostGiven(arrays)


class DeviceBuffers:
    """All of it on a device, but for the results of a step, which the runtime brings back.

    Args:
        device: ``cuda``; ``cpu`` has copies too.
    """

    on_host = False

    def __init__(self, device: str) -> None:
        self._device = device

    def state(self, rows: Sequence[tuple[int, ...]], capacity: int) -> DeviceState:
        """Two sets of state tensors."""
        return DeviceState(rows, capacity, self._device)

    def blocks(self, arrays: Sequence[FloatArray]) -> DeviceBlocks:
        """Copies of the arrays."""
        return DeviceBlocks(arrays, self._device)

    def given(self, arrays: Sequence[Shaped]) -> DeviceGiven:
        """Arrays of these shapes and types, and their copies."""
        return DeviceGiven(arrays, self._device)
