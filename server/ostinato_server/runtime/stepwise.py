"""Several steps one after another, for step tables that cannot make them in one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ostinato_server.runtime.base import Array, FloatArray

if TYPE_CHECKING:
    from ostinato_server.runtime.base import StepTable


def step_by_step(table: StepTable, count: int, uniforms: FloatArray) -> tuple[Array, FloatArray]:
    """As `StepTable.run`."""
    steps = len(uniforms)
    tokens, logprobs = np.empty((steps, count), np.int64), np.empty((steps, count), np.float32)
    token, uniform = table.columns["token"], table.columns.get("uniform")
    for step in range(steps):
        if uniform is not None:
            uniform[:count] = uniforms[step]
        results = table.step(count)
        token[:count] = tokens[step] = results["next_token"]
        logprobs[step] = results["logprob"]
    return tokens, logprobs
