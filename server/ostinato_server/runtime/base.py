"""What the engine asks of a runtime: to run a graph, and to advance a table of streams by one step."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
FloatArray = NDArray[np.float32]


class GraphRunner(Protocol):
    """Runs a graph that keeps nothing between calls: an encoder, a classifier, a prefill."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Runs the graph once; every tensor is batch first, names are the manifest's."""


class StepTable(Protocol):
    """The state of up to ``capacity`` streams, one row each, advanced together a step at a time.

    The caller keeps the live rows dense, 0 to n-1. ``columns`` are the graph's per-row inputs of shape (capacity,)
    other than state: the caller writes them before a step. What a step gives stays valid until the next one.
    """

    capacity: int
    columns: dict[str, Array]

    def write(self, row: int, state: Sequence[FloatArray], memory: Sequence[FloatArray] = ()) -> None:
        """Puts a stream into a row.

        Args:
            row: The row, below ``capacity``.
            state: One array per state tensor, without the batch axis; none at all for zeros.
            memory: One array of shape (source, …) per memory tensor.
        """

    def read(self, row: int) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
        """Copies a row's state and memory out, so that the stream can be written back later."""

    def move(self, source: int, target: int) -> None:
        """Copies a row's state, memory and columns over another's."""

    def permute(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        """Gives each of ``rows`` the state that the row at the same place in ``sources`` had. Memory stays."""

    def step(self, count: int) -> Mapping[str, Array]:
        """Advances rows 0 to count-1 by one step.

        Returns:
            Every output of the graph but the states, each of shape (count, …).
        """

    def run(self, count: int, uniforms: FloatArray) -> tuple[Array, FloatArray]:
        """Advances rows 0 to count-1 by several steps, each row reading what it drew; the column ``token`` follows.

        Args:
            count: Rows.
            uniforms: The random numbers, shape (steps, count); only their number matters to a graph without any.

        Returns:
            The tokens and their log-probabilities, each of shape (steps, count), valid until the next run.
        """

    def broken(self, count: int) -> Collection[int]:
        """Those of rows 0 to count-1 whose state is not finite, and whose results do not show it.

        Called after every step or run, it may look at a part of the state each time.
        """


class Backend(Protocol):
    """Opens a bundle's graphs on one device with one runtime."""

    runtime: str
    device: str

    def graph(self, name: str) -> GraphRunner:
        """Opens a graph that keeps nothing between calls."""

    def step_table(self, name: str, capacity: int) -> StepTable:
        """Opens a step graph with room for ``capacity`` streams."""
