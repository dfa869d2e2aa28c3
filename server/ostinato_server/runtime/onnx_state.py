"""The state of the streams in an ONNX step table: on the host, or on a device with a host's view of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ostinato_server.runtime.base import FloatArray
from ostinato_server.runtime.onnx_places import Place, device_place, device_zeros, place


class StateBuffers(Protocol):
    """Two sets of buffers, each (capacity, …): a step reads the one that is current and writes the other."""

    side: int

    def places(self, side: int) -> list[Place]:
        """Those of a set; they never move."""

    def seen(self) -> Sequence[FloatArray]:
        """The current set, to be read."""

    def changed(self) -> Sequence[FloatArray]:
        """The current set, to be written to before the next step."""

    def settle(self) -> None:
        """Makes what was written known to the next step."""

    def turn(self) -> None:
        """The other set is current: a step has written it."""


class HostState:
    """State that is computed where it is written."""

    def __init__(self, rows: Sequence[tuple[int, ...]], capacity: int) -> None:
        self._sides = tuple([np.zeros((capacity, *row), np.float32) for row in rows] for _ in range(2))
        self._places = tuple([place(buffer) for buffer in buffers] for buffers in self._sides)
        self.side = 0

    def places(self, side: int) -> list[Place]:
        """Those of a set."""
        return self._places[side]

    def seen(self) -> Sequence[FloatArray]:
        """The current set."""
        return self._sides[self.side]

    def changed(self) -> Sequence[FloatArray]:
        """The current set."""
        return self._sides[self.side]

    def settle(self) -> None:
        """Nothing is to be done."""

    def turn(self) -> None:
        """The other set is current."""
        self.side ^= 1


class DeviceState:
    """State that stays on a device; it comes over when rows join, leave or change places, and goes back once.

    However many rows come and go between two steps, all of it crosses once in each direction: ONNX Runtime copies
    whole values only.

    Args:
        rows: Shape of a row of each state tensor.
        capacity: Rows.
        device: ``cuda``; ``cpu`` has a copy too.
    """

    def __init__(self, rows: Sequence[tuple[int, ...]], capacity: int, device: str) -> None:
        self._sides = tuple([device_zeros((capacity, *row), device) for row in rows] for _ in range(2))
        self._places = tuple([device_place(value, device) for value in values] for values in self._sides)
        self._host: list[FloatArray] | None = None
        self._newer = False
        self.side = 0

    def places(self, side: int) -> list[Place]:
        """Those of a set."""
        return self._places[side]

    def seen(self) -> Sequence[FloatArray]:
        """A copy of the current set, the same one until the next step."""
        if self._host is None:
            self._host = [np.array(value.numpy()) for value in self._sides[self.side]]
        return self._host

    def changed(self) -> Sequence[FloatArray]:
        """The same copy, which goes back before the next step."""
        self._newer = True
        return self.seen()

    def settle(self) -> None:
        """Copies back what was changed."""
        if self._newer and self._host is not None:
            for value, array in zip(self._sides[self.side], self._host, strict=True):
                value.update_inplace(array)
            self._newer = False

    def turn(self) -> None:
        """The other set is current."""
        self.side ^= 1
        self._host = None
