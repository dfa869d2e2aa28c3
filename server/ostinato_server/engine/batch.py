"""The dense batch: which stream stands in which row of the step table."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ostinato_server.engine.request import Continuation
from ostinato_server.engine.sequence import EngineSequence, SavedState, StepResults
from ostinato_server.engine.uniforms import keyed_uniforms
from ostinato_server.runtime.base import Array, FloatArray, StepTable


class StepRun(NamedTuple):
    """What several steps drew, a list for each row.

    Attributes:
        tokens: The tokens of every row, in order.
        logprobs: Their log-probabilities in nats.
        broken: The streams that have lost their state, whose tokens mean nothing.
    """

    tokens: list[list[int]]
    logprobs: list[list[float]]
    broken: list[EngineSequence]


class Batch:
    """Streams in rows 0 to n-1 of a step table; the last row fills the hole that a leaving stream makes.

    Args:
        table: The state of every row.
        vocabulary_size: Tokens that there are.
    """

    def __init__(self, table: StepTable, vocabulary_size: int) -> None:
        self._table = table
        self._vocabulary_size = vocabulary_size
        self._columns = table.columns
        self._rows: list[tuple[EngineSequence, int]] = []
        self._seeds = np.zeros(table.capacity, np.uint64)
        self._positions = np.zeros(table.capacity, np.uint64)
        self.sequences: dict[int, EngineSequence] = {}

    def __len__(self) -> int:
        """Rows in use."""
        return len(self._rows)

    def add(self, sequence: EngineSequence) -> None:
        """Puts a stream, with what it saved, behind the others; every lane starts with the same state."""
        saved = sequence.saved or SavedState(())
        sequence.rows = []
        for lane in range(sequence.width):
            row = len(self._rows)
            self._rows.append((sequence, lane))
            sequence.rows.append(row)
            self._table.write(row, saved.state, saved.memory)
            self._fill_columns(sequence, lane, row)
        sequence.saved = None
        self.sequences[sequence.id] = sequence

    def remove(self, sequence: EngineSequence) -> None:
        """Takes a stream out; its state is lost."""
        del self.sequences[sequence.id]
        for row in sorted(sequence.rows, reverse=True):
            last = len(self._rows) - 1
            if row != last:
                self._table.move(last, row)
                self._seeds[row], self._positions[row] = self._seeds[last], self._positions[last]
                moved, lane = self._rows[row] = self._rows[last]
                moved.rows[lane] = row
            self._rows.pop()
        sequence.rows = []

    def clear(self) -> list[EngineSequence]:
        """Empties every row and gives the streams that were there; asks nothing of a table that may not work."""
        lost = list({id(sequence): sequence for sequence, _ in self._rows}.values())
        for sequence in lost:
            sequence.rows = []
        self._rows = []
        self.sequences = {}
        return lost

    def park(self, sequence: EngineSequence) -> None:
        """Takes a stream of one lane out and saves its state with it."""
        sequence.saved = SavedState(*self._table.read(sequence.rows[0]))
        self.remove(sequence)

    def left_off(self, sequence: EngineSequence) -> Continuation:
        """Where a stream of one lane is: what it has read, and what it reads next."""
        state, _ = self._table.read(sequence.rows[0])
        return Continuation(state, tuple(sequence.next_tokens))

    def step(self) -> StepResults:
        """Advances every row by one step; the drawn token becomes the next one read."""
        count = len(self._rows)
        columns = self._columns
        if "uniform" in columns:
            columns["uniform"][:count] = keyed_uniforms(self._seeds[:count], self._positions[:count])
        arrays = self._table.step(count)
        columns["token"][:count] = arrays["next_token"]
        self._positions[:count] += np.uint64(1)
        broken = self._broken(arrays["next_token"], arrays["logprob"])
        return StepResults(arrays["next_token"].tolist(), arrays["logprob"].tolist(), arrays, broken)

    def run(self, steps: int) -> StepRun:
        """Advances every row by several steps, each row reading what was drawn for it."""
        count = len(self._rows)
        positions = self._positions[:count]
        later = positions + np.arange(steps, dtype=np.uint64)[:, np.newaxis]
        tokens, logprobs = self._table.run(count, keyed_uniforms(self._seeds[:count], later))
        positions += np.uint64(steps)
        return StepRun(tokens.T.tolist(), logprobs.T.tolist(), self._broken(tokens, logprobs))

    def redirect(self, sequence: EngineSequence) -> None:
        """Lets a stream read something else than what was drawn, each lane on the state of the lane it chose."""
        if sequence.reorder is not None:
            self._table.permute(sequence.rows, [sequence.rows[lane] for lane in sequence.reorder])
            sequence.reorder = None
        for row, token in zip(sequence.rows, sequence.next_tokens, strict=True):
            self._columns["token"][row] = token
            self._positions[row] = sequence.position

    def _broken(self, tokens: Array, logprobs: FloatArray) -> list[EngineSequence]:
        """The streams that were given something that is no token or has no probability, or whose state is lost.

        Args:
            tokens: Shape (…, rows).
            logprobs: Shape (…, rows).
        """
        rows = set(self._table.broken(len(self._rows)))
        # As unsigned numbers, those below 0 are the largest: one comparison does for both ends.
        if not np.isfinite(logprobs).all() or tokens.view(np.uint64).max() >= self._vocabulary_size:
            wrong = ~np.isfinite(logprobs) | (tokens < 0) | (tokens >= self._vocabulary_size)
            rows.update(np.flatnonzero(wrong.reshape(-1, len(self._rows)).any(axis=0)).tolist())
        return list({id(sequence): sequence for sequence, _ in map(self._rows.__getitem__, sorted(rows))}.values())

    def _fill_columns(self, sequence: EngineSequence, lane: int, row: int) -> None:
        sampling = sequence.sampling
        values: dict[str, float] = {
            "token": sequence.next_tokens[lane],
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "lengths": len(sequence.source),
        }
        for name, column in self._columns.items():
            column[row] = values.get(name, 0)
        self._seeds[row] = sampling.seed
        self._positions[row] = sequence.position
