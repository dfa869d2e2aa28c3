"""What an ONNX graph is given by the host: read where it was written, or brought to a device first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import onnxruntime

from ostinato_server.runtime.base import Array, FloatArray
from ostinato_server.runtime.onnx_places import Place, device_place, device_zeros, place

_ALIGNMENT = 256
"""Bytes; what a device's own allocations have."""

Shaped = tuple[tuple[int, ...], type[Any]]
"""Shape and type of an array."""


class Given(Protocol):
    """Arrays that the host writes before every run, and that a graph reads."""

    @property
    def arrays(self) -> list[Array]:
        """What the host writes."""

    @property
    def places(self) -> list[Place]:
        """Where the graph reads them; they never move."""

    def send(self) -> None:
        """Makes what was written known to the next run."""


class HostGiven:
    """Arrays that are read where they are written.

    Args:
        arrays: Shape and type of each.
    """

    def __init__(self, arrays: Sequence[Shaped]) -> None:
        self.arrays: list[Array] = [np.zeros(shape, dtype) for shape, dtype in arrays]
        self.places: list[Place] = list(map(place, self.arrays))

    def send(self) -> None:
        """Nothing is to be done."""


class DeviceGiven:
    """Arrays whose copies on a device lie behind one another, so that all of them cross at once.

    ONNX Runtime copies an input of the host when it is bound, and not when the graph is run. A binding that is kept
    must therefore name a place on the device, and what the host writes must be brought there.

    Args:
        arrays: Shape and type of each.
        device: ``cuda``; ``cpu`` has a copy too.
    """

    def __init__(self, arrays: Sequence[Shaped], device: str) -> None:
        starts, size = [], 0
        for shape, dtype in arrays:
            starts.append(size)
            size += -(-math.prod(shape) * np.dtype(dtype).itemsize // _ALIGNMENT) * _ALIGNMENT
        self._host = np.zeros(size, np.uint8)
        self._value = onnxruntime.OrtValue.ortvalue_from_shape_and_type([size], np.uint8, device, 0)
        self.arrays: list[Array] = []
        self.places: list[Place] = []
        for start, (shape, dtype) in zip(starts, arrays, strict=True):
            stop = start + math.prod(shape) * np.dtype(dtype).itemsize
            self.arrays.append(self._host[start:stop].view(dtype).reshape(shape))
            self.places.append(Place(device, self._value.data_ptr() + start, dtype, shape[1:]))
        self.send()

    def send(self) -> None:
        """Copies all of them."""
        self._value.update_inplace(self._host)


class Blocks(Protocol):
    """Arrays that change seldom, as a graph reads them."""

    @property
    def places(self) -> list[Place]:
        """Where they are read; they never move."""

    def follow(self, arrays: Sequence[FloatArray]) -> None:
        """Makes known what was written to the arrays."""


class HostBlocks:
    """Arrays that are read where they are.

    Args:
        arrays: These.
    """

    def __init__(self, arrays: Sequence[FloatArray]) -> None:
        self.places = list(map(place, arrays))

    def follow(self, arrays: Sequence[FloatArray]) -> None:
        """Nothing is to be done."""


class DeviceBlocks:
    """Copies on a device.

    Args:
        arrays: What is copied.
        device: ``cuda``; ``cpu`` has a copy too.
    """

    def __init__(self, arrays: Sequence[FloatArray], device: str) -> None:
        self._values = [device_zeros(array.shape, device) for array in arrays]
        self.places = [device_place(value, device) for value in self._values]
        self.follow(arrays)

    def follow(self, arrays: Sequence[FloatArray]) -> None:
        """Copies arrays of the same shapes over those that were copied before."""
        for value, array in zip(self._values, arrays, strict=True):
            value.update_inplace(array)
