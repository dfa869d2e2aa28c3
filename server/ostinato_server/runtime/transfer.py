"""Tensors that cross between host and device together, in one copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

_ALIGNMENT = 8
"""Bytes; the widest number's size."""


class Transfer:
    """Fields that lie behind one another in a buffer on the host and in one on the device.

    Copies are only asked for: they run on the current stream, in order with the work around them. The host's buffer
    is page-locked where the device is CUDA, so neither `send` nor `fetch` waits; whoever sends must not write to the
    fields, and whoever fetches must not read them, before having waited.

    Args:
        fields: Type and shape of each, in order.
        device: Where the other buffer lies; a CPU has two buffers all the same.
    """

    def __init__(self, fields: Mapping[str, tuple[torch.dtype, Sequence[int]]], device: str) -> None:
        starts, size = [], 0
        for dtype, shape in fields.values():
            starts.append(size)
            size += -(-prod(shape) * dtype.itemsize // _ALIGNMENT) * _ALIGNMENT
        self._host = torch.zeros(size, dtype=torch.uint8, pin_memory=torch.device(device).type == "cuda")
        self._device = torch.zeros(size, dtype=torch.uint8, device=device)
        self.host: dict[str, NDArray[Any]] = {}
        self.device: dict[str, torch.Tensor] = {}
        rows, last_start = 1, 0
        for start, (name, (dtype, shape)) in zip(starts, fields.items(), strict=True):
            part = slice(start, start + prod(shape) * dtype.itemsize)
            self.host[name] = np.asarray(self._host[part].view(dtype).view(*shape))
            self.device[name] = self._device[part].view(dtype).view(*shape)
            rows, last_start = shape[0], start
            last_size = part.stop - part.start
        self._last_start = last_start
        self._row_size = last_size // rows if fields else 0

    def send(self, rows: int | None = None) -> None:
        """Copies the host's side over the device's.

        Args:
            rows: So many rows of the last field, after all the others; everything if not given.
        """
        part = self._part(rows)
        self._device[part].copy_(self._host[part], non_blocking=True)

    def fetch(self, rows: int | None = None) -> None:
        """Copies the device's side over the host's.

        Args:
            rows: As for `send`.
        """
        part = self._part(rows)
        self._host[part].copy_(self._device[part], non_blocking=True)

    def _part(self, rows: int | None) -> slice:
        return slice(0, None if rows is None else self._last_start + rows * self._row_size)


def together(results: Mapping[str, torch.Tensor]) -> dict[str, NDArray[Any]]:
    """Tensors as arrays on the host; those of another device come in one copy, which is waited for."""
    if all(tensor.device.type == "cpu" for tensor in results.values()):
        return {name: tensor.numpy() for name, tensor in results.items()}
    return unpack(pack(list(results.values())).cpu(), results)


def pack(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """The bytes of some tensors behind one another, the widest numbers first, so that each is aligned."""
    ordered = sorted(tensors, key=lambda tensor: -tensor.element_size())
    return torch.cat([_in_a_row(tensor).view(torch.uint8) for tensor in ordered])


def unpack(packed: torch.Tensor, like: Mapping[str, torch.Tensor]) -> dict[str, NDArray[Any]]:
    """What `pack` put together, as arrays with the types and shapes of these tensors."""
    found: dict[str, NDArray[Any]] = {}
    at = 0
    for name, tensor in sorted(like.items(), key=lambda item: -item[1].element_size()):
        size = tensor.numel() * tensor.element_size()
        found[name] = packed[at : at + size].view(tensor.dtype).view(tensor.shape).numpy()
        at += size
    return {name: found[name] for name in like}


def _in_a_row(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor's numbers one behind another; to torch a single one is that, whatever its stride."""
    return tensor.contiguous().as_strided((tensor.numel(),), (1,))
