"""Streams in a step table, and where they lead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato_server.runtime.base import Array, FloatArray, StepTable


def begin(table: StepTable, rows: int, *, temperature: float = 0.8, memory: Sequence[FloatArray] = ()) -> None:
    """Puts streams into the first rows, each with another token to read."""
    values = {"temperature": temperature, "top_k": 0, "top_p": 1.0}
    for row in range(rows):
        table.write(row, (), memory)
        table.columns["token"][row] = 3 + row % 20
        for name, value in values.items():
            if name in table.columns:
                table.columns[name][row] = value


def single_steps(table: StepTable, count: int, uniforms: FloatArray) -> list[dict[str, Array]]:
    """What every step gives, each reading what the one before it drew."""
    found = []
    for row in uniforms:
        table.columns["uniform"][:count] = row
        found.append({name: np.array(array) for name, array in table.step(count).items()})
        table.columns["token"][:count] = found[-1]["next_token"]
    return found


def states(table: StepTable, rows: int) -> list[FloatArray]:
    """All states, each (rows, …)."""
    read = [table.read(row)[0] for row in range(rows)]
    return [np.stack(parts) for parts in zip(*read, strict=True)]
