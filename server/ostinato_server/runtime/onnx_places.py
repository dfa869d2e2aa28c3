"""Buffers that an ONNX graph can be bound to: arrays of the host, and values on a device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import onnxruntime

from ostinato_server.runtime.base import Array


class Place(NamedTuple):
    """A buffer that a graph can be bound to.

    Attributes:
        device: ``cpu`` or ``cuda``.
        address: Of its first number.
        dtype: Type of its numbers.
        row: Shape of a row.
    """

    device: str
    address: int
    dtype: type[Any]
    row: tuple[int, ...]

    def at(self, row: int) -> int:
        """Address of the first number of a row."""
        return self.address + row * math.prod(self.row) * np.dtype(self.dtype).itemsize


def place(array: Array) -> Place:
    """That of an array, whose rows lie behind one another."""
    return Place("cpu", array.ctypes.data, array.dtype.type, array.shape[1:])


def device_zeros(shape: Sequence[int], device: str) -> onnxruntime.OrtValue:
    """A value of so many numbers on a device."""
    value = onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(shape), np.float32, device, 0)
    value.update_inplace(np.zeros(shape, np.float32))
    return value


def device_place(value: onnxruntime.OrtValue, device: str) -> Place:
    """That of a value."""
    return Place(device, value.data_ptr(), np.float32, tuple(value.shape()[1:]))
