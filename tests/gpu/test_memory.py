"""Device memory does not grow with steps, and a table that is gone gives its own back."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from tests.gpu.streams import begin

from ostinato_bundle import Bundle
from ostinato_server.runtime.base import StepTable
from ostinato_server.runtime.select import open_backend

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("torch_on_cuda")]

CAPACITY = 40


def used() -> int:
    """Bytes of the device that are taken, by whatever library."""
    gc.collect()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info()
    return total - free


def work(table: StepTable, rounds: int) -> None:
    uniforms = np.random.default_rng(1).random((16, CAPACITY), np.float32)
    for number in range(rounds):
        count = 1 + number % CAPACITY
        begin(table, count)
        table.run(count, uniforms[: 1 + number % 16, :count])
        table.step(count)
        table.read(0)


def test_memory_does_not_grow_with_steps(generation: Bundle, runtime: str) -> None:
    table = open_backend(generation, "cuda", runtime, 1).step_table("step", CAPACITY)
    work(table, 1000)
    before = used()
    work(table, 3000)
    assert used() - before <= 2 << 20


def test_memory_does_not_grow_with_loads(generation: Bundle, runtime: str) -> None:
    def load() -> None:
        work(open_backend(generation, "cuda", runtime, 1).step_table("step", CAPACITY), 50)

    for _ in range(5):
        load()
    before = used()
    for _ in range(15):
        load()
    assert used() - before <= 32 << 20
