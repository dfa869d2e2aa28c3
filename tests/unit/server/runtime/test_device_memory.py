"""Encoder memory on a device, for which a second CPU stands in: a copy that follows the host a row at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ostinato_bundle import Tensor
from ostinato_server.runtime.device_memory import DeviceMemory
from ostinato_server.runtime.memory import SOURCE_STEP

TENSORS = (
    Tensor(name="memory_0", data_type="float32", shape=(-1, -1, 3)),
    Tensor(name="memory_1", data_type="float32", shape=(-1, -1, 2)),
)


class Copied(DeviceMemory):
    """What another device has: tensors that share nothing with the block."""

    uploads = 0

    @property
    def _is_copy(self) -> bool:
        return True

    def _take_over(self) -> None:
        super()._take_over()
        self.uploads += 1
        self.tensors = {name: tensor.clone() for name, tensor in self.tensors.items()}


def memory(length: int, fill: float) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    return [np.full((length, width), fill, np.float32) for width in (3, 2)]


@pytest.fixture(params=[DeviceMemory, Copied])
def held(request: pytest.FixtureRequest) -> DeviceMemory:
    found: DeviceMemory = request.param(TENSORS, 4, torch.device("cpu"))
    return found


def test_row_arrives_with_zeros_behind_it(held: DeviceMemory) -> None:
    held.write(0, memory(SOURCE_STEP, 9.0), alone=True)
    held.write(0, memory(2, 5.0), alone=False)
    for tensor in held.tensors.values():
        assert tensor[0].amax(dim=1).tolist() == [5.0] * 2 + [0.0] * (SOURCE_STEP - 2)


def test_longer_source_takes_the_other_rows_along(held: DeviceMemory) -> None:
    held.write(0, memory(3, 1.0), alone=True)
    held.write(1, memory(SOURCE_STEP + 1, 2.0), alone=False)
    assert held.tensors["memory_0"].shape == (4, 2 * SOURCE_STEP, 3)
    assert [float(tensor[0].sum()) for tensor in held.tensors.values()] == [9.0, 6.0]


def test_moved_row_is_in_both_places(held: DeviceMemory) -> None:
    held.write(0, memory(3, 1.0), alone=True)
    held.write(3, memory(4, 7.0), alone=False)
    held.move(3, 0)
    assert [float(tensor[0].sum()) for tensor in held.tensors.values()] == [84.0, 56.0]
    assert [part.tolist() for part in held.read(0)] == [part.tolist() for part in memory(4, 7.0)]


def test_stream_that_joins_costs_its_row_and_not_the_block() -> None:
    held = Copied(TENSORS, 4, torch.device("cpu"))
    before = held.uploads
    for row in range(4):
        held.write(row, memory(SOURCE_STEP, row + 1.0), alone=row == 0)
    held.move(3, 1)
    assert held.uploads == before
    assert [float(held.tensors["memory_0"][row].mean()) for row in range(4)] == [1.0, 4.0, 3.0, 4.0]
