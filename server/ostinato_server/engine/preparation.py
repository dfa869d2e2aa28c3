"""What a stream needs before its first step: a prompt read, or a source sentence encoded."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np

from ostinato_server.engine.request import Continuation
from ostinato_server.engine.sequence import EngineSequence, SampledSequence, SavedState
from ostinato_server.runtime.base import FloatArray, GraphRunner

STEPPED_PROMPT = 4
"""Prompts up to this many tokens are read in the batch, a step each: a prefill call costs more than it saves."""

BUSY_CHUNK = 32
"""Prompt tokens read in one go while other streams wait for their next token."""

IDLE_CHUNK = 512
"""Prompt tokens read in one go when nobody waits."""

ENCODER_BATCH = 16
"""Sentences encoded in one go."""


class Preparation(Protocol):
    """Readies admitted streams between steps, a bounded piece of work at a time."""

    def __len__(self) -> int:
        """Streams being readied."""

    def begin(self, sequence: EngineSequence) -> None:
        """Takes a stream in."""

    def discard(self, sequence: EngineSequence) -> None:
        """Drops a stream that has ended meanwhile."""

    def advance(self, busy: bool) -> list[EngineSequence]:
        """Does a piece of work.

        Args:
            busy: Whether streams in the batch wait for it.

        Returns:
            The streams that are ready for their first step, their state saved with them.
        """


class PromptReading:
    """Reads prompts into the recurrent state, in whole-sequence chunks where the bundle has a prefill graph.

    Args:
        prefill: The graph (tokens (B, T), state…) → next state…; none to read every prompt in steps.
        state_shapes: Shape of each state tensor without the batch axis.
        start_id: Token put before every prompt, if the model was trained with one.
    """

    def __init__(
        self, prefill: GraphRunner | None, state_shapes: tuple[tuple[int, ...], ...], start_id: int | None
    ) -> None:
        self._prefill = prefill
        self._state_shapes = state_shapes
        self._start = () if start_id is None else (start_id,)
        self._reading: deque[tuple[SampledSequence, list[int], list[FloatArray]]] = deque()
        self._ready: list[EngineSequence] = []

    def __len__(self) -> int:
        """Prompts being read."""
        return len(self._reading) + len(self._ready)

    def begin(self, sequence: EngineSequence) -> None:
        """Takes a stream in."""
        assert isinstance(sequence, SampledSequence)  # noqa: S101 (only such streams have prompts)
        before = sequence.after or Continuation((), self._start)
        prompt = [*before.pending, *sequence.source]
        if self._prefill is None or len(prompt) <= STEPPED_PROMPT:
            sequence.saved = SavedState(before.state)
            sequence.begin_reading(prompt)
            self._ready.append(sequence)
            return
        zeros = (np.zeros(shape, np.float32) for shape in self._state_shapes)
        state = [tensor[np.newaxis] for tensor in before.state or zeros]
        self._reading.append((sequence, prompt, state))

    def discard(self, sequence: EngineSequence) -> None:
        """Drops a stream that has ended meanwhile."""
        self._reading = deque(entry for entry in self._reading if entry[0] is not sequence)
        self._ready = [other for other in self._ready if other is not sequence]

    def advance(self, busy: bool) -> list[EngineSequence]:
        """Reads a chunk of the oldest prompt; the last token of a prompt is left to the first step."""
        read: list[EngineSequence] = []
        if self._reading and self._prefill is not None:
            sequence, prompt, state = self._reading.popleft()
            chunk = min(BUSY_CHUNK if busy else IDLE_CHUNK, len(prompt) - 1)
            tokens = np.array([prompt[:chunk]], np.int64)
            inputs = {f"state_{index}": tensor for index, tensor in enumerate(state)}
            results = self._prefill.run({"tokens": tokens, **inputs})
            state = [results[f"next_state_{index}"] for index in range(len(state))]
            rest = prompt[chunk:]
            if len(rest) > 1:
                self._reading.appendleft((sequence, rest, state))
            else:
                sequence.saved = SavedState(tuple(tensor[0] for tensor in state))
                sequence.next_tokens = rest
                read.append(sequence)
        ready, self._ready = [*self._ready, *read], []
        return ready


class SourceEncoding:
    """Encodes source sentences, several in one go.

    Args:
        encoder: The graph (tokens (B, S), lengths (B)) → memory…, next state….
        memories: How many memory tensors it gives.
        states: How many state tensors it gives.
        start_id: The token that the decoder reads first.
        padding_id: The token that fills up the shorter sentences.
    """

    def __init__(self, encoder: GraphRunner, memories: int, states: int, start_id: int, padding_id: int) -> None:
        self._encoder = encoder
        self._memories = memories
        self._states = states
        self._start_id = start_id
        self._padding_id = padding_id
        self._waiting: deque[EngineSequence] = deque()

    def __len__(self) -> int:
        """Sentences waiting to be encoded."""
        return len(self._waiting)

    def begin(self, sequence: EngineSequence) -> None:
        """Takes a stream in."""
        self._waiting.append(sequence)

    def discard(self, sequence: EngineSequence) -> None:
        """Drops a stream that has ended meanwhile."""
        self._waiting = deque(other for other in self._waiting if other is not sequence)

    def advance(self, busy: bool) -> list[EngineSequence]:
        """Encodes the sentences that have waited longest."""
        del busy  # a batch of sentences costs about a step
        batch = [self._waiting.popleft() for _ in range(min(ENCODER_BATCH, len(self._waiting)))]
        if not batch:
            return []
        lengths = np.array([len(sequence.source) for sequence in batch], np.int64)
        tokens = np.full((len(batch), int(lengths.max())), self._padding_id, np.int64)
        for row, sequence in enumerate(batch):
            tokens[row, : len(sequence.source)] = sequence.source
        results = self._encoder.run({"tokens": tokens, "lengths": lengths})
        for row, sequence in enumerate(batch):
            length = len(sequence.source)
            sequence.next_tokens = [self._start_id] * sequence.width
            sequence.saved = SavedState(
                state=tuple(results[f"next_state_{index}"][row] for index in range(self._states)),
                memory=tuple(results[f"memory_{index}"][row, :length] for index in range(self._memories)),
            )
        return batch
