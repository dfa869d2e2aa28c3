"""The server's own step table with nothing beside it: what its engine can hope for at most."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ostinato_bench.alone import WARM_UP, runs
from ostinato_bundle import Bundle
from ostinato_server.runtime.base import StepTable
from ostinato_server.runtime.select import open_backend

RUN_STEPS = 16
"""Steps in one run: as many as the engine makes when nobody waits."""


@dataclass(frozen=True, slots=True)
class TableSteps:
    """Medians at one batch size.

    Attributes:
        batch: Rows in a step.
        step_seconds: A single step, with its results on the host.
        run_step_seconds: A step of a run of `RUN_STEPS`, with its results on the host.
    """

    batch: int
    step_seconds: float
    run_step_seconds: float

    @property
    def tokens_per_second(self) -> float:
        """Of the faster way."""
        return self.batch / min(self.step_seconds, self.run_step_seconds)


def time_table(
    bundle: Bundle, device: str, runtime: str, threads: int, batches: tuple[int, ...], seconds: float
) -> dict[int, TableSteps]:
    """Times a bundle's step table at some batch sizes, for so many seconds each.

    Raises:
        StartupError: The runtime or the device cannot be had.
        BundleError: The bundle's files do not hold.
    """
    table = open_backend(bundle, device, runtime, threads).step_table("step", max(batches))
    tokens = np.random.default_rng(1).integers(0, bundle.manifest.tokenizer.vocabulary_size, max(batches))
    return {batch: _time(table, tokens, batch, seconds / 2) for batch in batches}


def _time(
    table: StepTable, tokens: np.ndarray[tuple[int], np.dtype[np.int64]], batch: int, seconds: float
) -> TableSteps:
    uniforms = np.random.default_rng(2).random((RUN_STEPS, batch), np.float32)
    for row in range(batch):
        table.write(row, ())
    for name, value in {"temperature": 0.8, "top_p": 1.0}.items():
        if name in table.columns:
            table.columns[name][:batch] = value
    table.columns["token"][:batch] = tokens[:batch]

    def step() -> None:
        table.columns["token"][:batch] = table.step(batch)["next_token"]

    return TableSteps(batch, _median(step, seconds), _median(lambda: table.run(batch, uniforms), seconds) / RUN_STEPS)


def _median(work: Callable[[], object], seconds: float) -> float:
    durations = []
    for _ in runs(seconds):
        start = time.perf_counter()
        work()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations[WARM_UP:])
