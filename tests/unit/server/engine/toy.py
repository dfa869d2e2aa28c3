"""A recurrent model small enough to follow by hand, behind the runtime's protocols."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from ostinato_server.runtime.base import Array, FloatArray
from ostinato_server.runtime.stepwise import step_by_step

VOCABULARY = 5


def advance(state: float, token: int) -> float:
    return (state * 7 + token * 3 + 1) % 101


class ToyTable:
    """Next state is a hash of state and token; the next token is the state modulo the vocabulary."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.columns: dict[str, Array] = {"token": np.zeros(capacity, np.int64)}
        self.state = np.zeros(capacity, np.float32)
        self.steps: list[int] = []
        self.failing = False
        self.broken_rows: list[int] = []
        self.spoil: Callable[[dict[str, Array]], None] | None = None
        self.when_stepped: Callable[[], None] | None = None

    def write(self, row: int, state: Sequence[FloatArray], memory: Sequence[FloatArray] = ()) -> None:
        self.state[row] = state[0][0] if state else 0.0

    def read(self, row: int) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
        return (self.state[row : row + 1].copy(),), ()

    def move(self, source: int, target: int) -> None:
        self.state[target] = self.state[source]
        self.columns["token"][target] = self.columns["token"][source]

    def permute(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        self.state[list(rows)] = self.state[list(sources)]

    def step(self, count: int) -> Mapping[str, Array]:
        if self.failing:
            raise RuntimeError("the toy broke")
        self.steps.append(count)
        if self.when_stepped is not None:
            self.when_stepped()
        self.state[:count] = advance(self.state[:count], self.columns["token"][:count])  # type: ignore[arg-type]
        results: dict[str, Array] = {
            "next_token": (self.state[:count] % VOCABULARY).astype(np.int64),
            "logprob": np.full(count, -0.5, np.float32),
        }
        if self.spoil is not None:
            self.spoil(results)
        return results

    def run(self, count: int, uniforms: FloatArray) -> tuple[Array, FloatArray]:
        return step_by_step(self, count, uniforms)

    def broken(self, count: int) -> Collection[int]:
        rows, self.broken_rows = self.broken_rows, []
        return rows


class ToyPrefill:
    """Reads a prompt as the table would, one token after another."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int]] = []
        self.failing = False
        self.lost = False
        self.when_run: Callable[[], None] | None = None

    @property
    def chunks(self) -> list[int]:
        """Tokens of each prompt that each run read."""
        return [count for _, count in self.batches]

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        tokens, state = inputs["tokens"], inputs["state_0"].copy()
        self.batches.append(tokens.shape)
        if self.when_run is not None:
            self.when_run()
        if self.failing:
            raise RuntimeError("the toy broke")
        for column in tokens.T:
            state[:, 0] = [advance(s, int(t)) for s, t in zip(state[:, 0], column, strict=True)]
        return {"next_state_0": np.full_like(state, np.nan) if self.lost else state}


def continuation(prompt: Sequence[int], length: int) -> list[int]:
    """What the toy generates after a prompt, computed without an engine."""
    state = 0.0
    for token in prompt:
        state = advance(state, token)
    out: list[int] = []
    for _ in range(length):
        out.append(int(state % VOCABULARY))
        state = advance(state, out[-1])
    return out
