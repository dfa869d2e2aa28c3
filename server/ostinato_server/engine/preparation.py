"""What a stream needs before its first step: a prompt read, or a source sentence encoded."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ostinato_server.engine.request import Continuation
from ostinato_server.engine.sequence import EngineSequence, SampledSequence, SavedState
from ostinato_server.runtime.base import FloatArray, GraphRunner

STEPPED_PROMPT = 4
"""Prompts up to this many tokens are read in the batch, a step each: a prefill call costs more than it saves."""

SHORT_PROMPT = 32
"""Prompts with up to this many tokens left are read several in one go, at every turn."""

PROMPT_BATCH = 16
"""Short prompts read in one go."""

BUSY_CHUNK = 8
"""Tokens of a long prompt read in one go while other streams wait for their next token."""

BUSY_SHARE = 1 / 6
"""Part of the time that long prompts may take, and get, while other streams wait."""

IDLE_CHUNK = 512
"""Tokens of a long prompt read in one go when nobody waits."""

RESUMED_BATCH = 64
"""Resumed streams whose tokens are read in one run. Rows cost less together than alone, and threads share them."""

RESUMED_CHUNK = 64
"""Tokens of each such stream read in one run."""

RESUMED_TOKENS = 512
"""Tokens of all such streams together read in one run, which streams in the batch wait for."""

RESUMED_SHARE = 1 / 2
"""Part of the time that tokens of resumed streams may take, and get, while other streams wait.

It is their own, besides that of long prompts: their readers have had part of the text and wait in the middle of it.
"""

ENCODER_BATCH = 16
"""Sentences encoded in one go."""


class Preparation(Protocol):
    """Readies admitted streams between steps, a bounded piece of work at a time."""

    def __len__(self) -> int:
        """Streams being readied."""

    def __contains__(self, sequence: EngineSequence) -> bool:
        """Whether a stream is being readied; one whose piece of work threw is not any more."""

    @property
    def due_at(self) -> float:
        """When it wants to be advanced next while streams in the batch wait for it; infinite when there is nothing."""

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


@dataclass(slots=True, eq=False)
class _Prompt:
    """A prompt on its way into the state.

    Attributes:
        sequence: Whose it is.
        tokens: All its tokens; the last one is left to the first step.
        state: What was read so far, each tensor (1, …).
        done: How many tokens were read.
    """

    sequence: SampledSequence
    tokens: list[int]
    state: list[FloatArray]
    done: int = 0

    @property
    def left(self) -> int:
        """How many tokens are still to be read."""
        return len(self.tokens) - self.done


class PromptReading:
    """Reads prompts into the recurrent state, in whole-sequence chunks where the bundle has a prefill graph.

    Args:
        prefill: The graph (tokens (B, T), state…) → next state…; none to read every prompt in steps.
        state_shapes: Shape of each state tensor without the batch axis.
        start_id: Token put before every prompt, if the model was trained with one.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        prefill: GraphRunner | None,
        state_shapes: tuple[tuple[int, ...], ...],
        start_id: int | None,
        clock: Callable[[], float],
    ) -> None:
        self._prefill = prefill
        self._state_shapes = state_shapes
        self._start = () if start_id is None else (start_id,)
        self._clock = clock
        self._short: deque[_Prompt] = deque()
        self._resumed: deque[_Prompt] = deque()
        self._long: deque[_Prompt] = deque()
        self._ready: list[EngineSequence] = []
        self._resumed_due_at = self._long_due_at = 0.0
        """When resumed streams, and a long prompt, may be read on while others wait."""

    def __len__(self) -> int:
        """Prompts being read."""
        return len(self._short) + len(self._resumed) + len(self._long) + len(self._ready)

    def __contains__(self, sequence: EngineSequence) -> bool:
        """Whether its prompt is being read."""
        read = (prompt.sequence for prompt in (*self._short, *self._resumed, *self._long))
        return any(sequence is other for other in (*read, *self._ready))

    @property
    def due_at(self) -> float:
        """At once for short prompts, at their turn for resumed streams and a long prompt."""
        if self._short or self._ready:
            return -math.inf
        resumed = self._resumed_due_at if self._resumed else math.inf
        return min(resumed, self._long_due_at if self._long else math.inf)

    def begin(self, sequence: EngineSequence) -> None:
        """Takes a stream in."""
        assert isinstance(sequence, SampledSequence)  # noqa: S101 (only such streams have prompts)
        before = sequence.after or Continuation((), self._start)
        zeros = (np.zeros(shape, np.float32) for shape in self._state_shapes)
        state = [tensor[np.newaxis] for tensor in before.state or zeros]
        self._place(_Prompt(sequence, [*before.pending, *sequence.source], state))

    def discard(self, sequence: EngineSequence) -> None:
        """Drops a stream that has ended meanwhile."""
        self._short = deque(prompt for prompt in self._short if prompt.sequence is not sequence)
        self._resumed = deque(prompt for prompt in self._resumed if prompt.sequence is not sequence)
        self._long = deque(prompt for prompt in self._long if prompt.sequence is not sequence)
        self._ready = [other for other in self._ready if other is not sequence]

    def advance(self, busy: bool) -> list[EngineSequence]:
        """Reads on in the oldest short prompts, and, each at its turn, in resumed streams and the oldest long one."""
        if self._short:
            busy = True
            self._advance(self._short, PROMPT_BATCH, SHORT_PROMPT, share=1.0)
        if self._resumed and not (busy and self._clock() < self._resumed_due_at):
            chunk = min(RESUMED_CHUNK, RESUMED_TOKENS // min(len(self._resumed), RESUMED_BATCH))
            self._resumed_due_at = self._advance(self._resumed, RESUMED_BATCH, chunk, RESUMED_SHARE)
            busy = True
        if self._long and not (busy and self._clock() < self._long_due_at):
            self._long_due_at = self._advance(self._long, 1, BUSY_CHUNK if busy else IDLE_CHUNK, BUSY_SHARE)
        ready, self._ready = self._ready, []
        return ready

    def _advance(self, prompts: deque[_Prompt], most: int, chunk: int, share: float) -> float:
        """Reads on in the first prompts of a queue.

        Args:
            prompts: The queue.
            most: Prompts to read on in.
            chunk: Tokens of each to read at most.
            share: Part of the time that this may take.

        Returns:
            When to go on, so that it takes its share.
        """
        started = self._clock()
        batch = [prompts.popleft() for _ in range(min(most, len(prompts)))]
        self._read(batch, min(chunk, min(prompt.left for prompt in batch) - 1))
        for prompt in reversed(batch):
            if prompt.left <= SHORT_PROMPT:
                self._place(prompt)
            else:
                prompts.appendleft(prompt)
        now = self._clock()
        return now + (now - started) * (1 / share - 1)

    def _read(self, prompts: list[_Prompt], count: int) -> None:
        """Reads so many tokens of each prompt."""
        assert self._prefill is not None  # noqa: S101 (without it every prompt is read in steps)
        tokens = np.array([prompt.tokens[prompt.done : prompt.done + count] for prompt in prompts], np.int64)
        states = zip(*(prompt.state for prompt in prompts), strict=True)
        inputs = {f"state_{index}": np.concatenate(rows) for index, rows in enumerate(states)}
        results = self._prefill.run({"tokens": tokens, **inputs})
        for row, prompt in enumerate(prompts):
            prompt.done += count
            prompt.state = [results[f"next_state_{index}"][row : row + 1] for index in range(len(prompt.state))]

    def _place(self, prompt: _Prompt) -> None:
        """Puts a prompt where it is read on; one that is nearly through reads its last tokens in the batch."""
        if self._prefill is None or prompt.left <= STEPPED_PROMPT:
            sequence = prompt.sequence
            rest = prompt.tokens[prompt.done :]
            sequence.next_tokens = rest[:1]
            sequence.unread = rest[:0:-1]
            sequence.saved = SavedState(tuple(tensor[0] for tensor in prompt.state))
            self._ready.append(sequence)
        elif prompt.left <= SHORT_PROMPT:
            self._short.append(prompt)
        elif prompt.sequence.generated:  # tokens of an earlier call, since this one has not made a step yet
            self._resumed.append(prompt)
        else:
            self._long.append(prompt)


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

    def __contains__(self, sequence: EngineSequence) -> bool:
        """Whether it waits to be encoded."""
        return any(sequence is other for other in self._waiting)

    @property
    def due_at(self) -> float:
        """At once."""
        return -math.inf if self._waiting else math.inf

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
