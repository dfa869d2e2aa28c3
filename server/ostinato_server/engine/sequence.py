"""A stream inside the engine: what it reads next, and what it makes of a step's results."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ostinato_bundle.repetition import completes_repetition
from ostinato_server.engine.beam import BeamSearch
from ostinato_server.engine.request import (
    Alternative,
    Continuation,
    FinishReason,
    GeneratedToken,
    GenerationRequest,
    SamplingParameters,
    Standing,
    TranslationRequest,
)
from ostinato_server.engine.text import StreamText
from ostinato_server.runtime.base import Array, FloatArray


@dataclass(slots=True)
class StepResults:
    """What a step gave, row by row.

    Attributes:
        tokens: The next token of every row.
        logprobs: Its log-probability in nats.
        arrays: The other outputs of the graph, each (rows, …), valid until the next step.
        broken: The streams that have lost their state, whose results mean nothing.
    """

    tokens: list[int]
    logprobs: list[float]
    arrays: Mapping[str, Array]
    broken: list[EngineSequence]


@dataclass(slots=True)
class SavedState:
    """A stream's tensors while it is not in the batch."""

    state: tuple[FloatArray, ...]
    memory: tuple[FloatArray, ...] = ()

    @property
    def finite(self) -> bool:
        """Whether a stream can be gone on with from it."""
        return all(np.isfinite(tensor).all() for tensor in (*self.state, *self.memory))


class EngineSequence(Protocol):
    """What the batch and the decode loop ask of a stream."""

    id: int
    width: int
    priority: int
    client: str
    deadline: float
    arrival: float
    rows: list[int]
    next_tokens: list[int]
    """What each lane reads next."""
    reorder: list[int] | None
    """The lane whose state each lane continues with; none when every lane continues with its own."""
    sampling: SamplingParameters
    steered: bool
    """Whether it reads something else next than what was drawn for it."""
    steady: bool
    """Whether it may make several steps before `accept_run` sees them: it reads what is drawn, and needs no arrays."""
    position: int
    """Position of the token to be drawn next."""
    left: int
    """The most tokens that it may still be given."""
    saved: SavedState | None
    before_run: Continuation | None
    """Where it was before a run that might go beyond its end; once it has ended in there, with what it was given."""
    outbox: list[GeneratedToken]
    generated: int
    score: float
    source: tuple[int, ...]
    """Tokens to read before the first step."""
    keeps_state: bool
    """Whether its state is wanted when it has ended."""
    withheld: tuple[str, tuple[int, ...]]
    """Text and tokens that were generated and are not sent."""
    admitted_at: float
    first_token_at: float
    last_token_at: float
    trace_id: str
    """The trace that the request is kept in; empty for none."""

    @property
    def satisfied(self) -> FinishReason | None:
        """Why it ends without another step; none where it needs one."""

    def accept(self, results: StepResults) -> FinishReason | None:
        """Takes the results of a step; tokens to send go into ``outbox``.

        Returns:
            Why the stream has ended, if it has.
        """

    def accept_run(self, tokens: Sequence[int], logprobs: Sequence[float]) -> FinishReason | None:
        """Takes what several steps drew for a steady stream; what was drawn after its end is left aside."""

    def may_end_before(self, steps: int) -> bool:
        """Whether a run of so many steps may go beyond its end."""


class _Stream:
    """What all streams keep."""

    width = 1

    def __init__(
        self,
        stream_id: int,
        source: tuple[int, ...],
        max_tokens: int,
        deadline: float,
        standing: Standing,
        arrival: float,
    ) -> None:
        self.id = stream_id
        self.source = source
        self.deadline = deadline
        self.priority: int = standing.priority
        self.client = standing.client
        self.arrival = arrival
        self.sampling = SamplingParameters(temperature=0.0)
        self.rows: list[int] = []
        self.next_tokens: list[int] = []
        self.reorder: list[int] | None = None
        self.steered = True
        self.steady = False
        self.position = 0
        self.left = max_tokens
        self.saved: SavedState | None = None
        self.before_run: Continuation | None = None
        self.outbox: list[GeneratedToken] = []
        self.generated = 0
        self.score = 0.0
        self.keeps_state = False
        self.withheld: tuple[str, tuple[int, ...]] = ("", ())
        self.admitted_at = 0.0
        self.first_token_at = 0.0
        self.last_token_at = 0.0
        self.trace_id = ""

    @property
    def satisfied(self) -> FinishReason | None:
        """Why it ends without another step; none where it needs one."""
        return None

    def may_end_before(self, steps: int) -> bool:
        """Whether a run of so many steps may go beyond its end; there are no runs for what looks at every step."""
        del steps
        return False


class SampledSequence(_Stream):
    """A stream of one lane: sampled generation, or greedy translation.

    Args:
        stream_id: Unique in the engine.
        request: What was asked.
        arrival: When, on the engine's clock.
        text: Puts text to its tokens; has replayed those of a resumed stream.
        end_id: The token that ends the sequence, if the model has one.
    """

    def __init__(
        self,
        stream_id: int,
        request: GenerationRequest | TranslationRequest,
        arrival: float,
        text: StreamText,
        end_id: int | None,
    ) -> None:
        source = request.prompt + request.resumed if isinstance(request, GenerationRequest) else request.source
        super().__init__(stream_id, source, request.max_tokens, request.deadline, request.standing, arrival)
        self._text = text
        self._spell = text.spell
        self._end_id = -1 if end_id is None else end_id
        self._alternatives = 0
        self._attention = False
        self._said: list[int] | None = None
        """Tokens of a translation, which must not repeat them at once."""
        self.unread: list[int] = []
        """Prompt tokens still to be read in steps, last first."""
        self.after: Continuation | None = None
        if isinstance(request, GenerationRequest):
            self.after = request.after
            self.keeps_state = request.keeps_state
            self.position = self.generated = len(request.resumed)
            self.left -= self.generated
            if not self.left:  # it broke before its summary came
                text.flush()
            if text.stopped:
                self.left = 0
                self.withheld = text.withheld()
            self.sampling = request.sampling
            self._alternatives = request.top_alternatives
        else:
            self._attention = request.include_attention
            self._said = []

    @property
    def satisfied(self) -> FinishReason | None:
        """Why it ends, where it only wanted its prompt read and that is done."""
        if self.left or self.unread:
            return None
        return FinishReason.STOP if self._text.stopped else FinishReason.LENGTH

    def accept(self, results: StepResults) -> FinishReason | None:
        """Takes the results of a step."""
        if self.unread:
            self.next_tokens = [self.unread.pop()]
            return self.satisfied
        row = self.rows[0]
        self.before_run = None
        token_id, logprob = results.tokens[row], results.logprobs[row]
        if self._said is not None:
            token_id, logprob = self._unrepeated(self._said, token_id, logprob, results.arrays)
            self._said.append(token_id)
        self.steered = token_id != results.tokens[row]
        self.steady = self._said is None and not (self._alternatives or self._attention)
        return self._take(token_id, logprob, results.arrays)

    def accept_run(self, tokens: Sequence[int], logprobs: Sequence[float]) -> FinishReason | None:
        """Takes what several steps drew."""
        if self._spell is None or self._end_id in tokens or len(tokens) >= self.left:
            generated = self.generated
            for token_id, logprob in zip(tokens, logprobs, strict=True):
                reason = self._take(token_id, logprob)
                if reason is not None:
                    if self.before_run is not None:
                        state, pending = self.before_run.state, self.before_run.pending
                        self.before_run = Continuation(state, (*pending, *tokens[: self.generated - generated]))
                    return reason
            return None
        self.score = functools.reduce(operator.add, logprobs, self.score)
        self.position += len(tokens)
        self.generated += len(tokens)
        self.left -= len(tokens)
        self.next_tokens[0] = tokens[-1]
        self.outbox.extend(map(GeneratedToken, tokens, map(self._spell, tokens), logprobs))
        return None

    def may_end_before(self, steps: int) -> bool:
        """Whether a run of so many steps may go beyond its end."""
        return self._text.may_stop or self._end_id >= 0 or self.left < steps

    def _unrepeated(
        self, said: list[int], token_id: int, logprob: float, arrays: Mapping[str, Array]
    ) -> tuple[int, float]:
        """The most probable token that repeats nothing, with its log-probability; the drawn one if all do."""
        if not completes_repetition(said, token_id):
            return token_id, logprob
        row = self.rows[0]
        candidates = zip(arrays["top_tokens"][row].tolist(), arrays["top_logprobs"][row].tolist(), strict=True)
        return next((each for each in candidates if not completes_repetition(said, each[0])), (token_id, logprob))

    def _take(self, token_id: int, logprob: float, arrays: Mapping[str, Array] | None = None) -> FinishReason | None:
        self.score += logprob
        self.position += 1
        if token_id == self._end_id:
            self.next_tokens = []  # what ends a text is no part of it
            return self._finish(FinishReason.END_OF_SEQUENCE)
        self.next_tokens[0] = token_id
        self.generated += 1
        self.left -= 1
        token = GeneratedToken(token_id, "" if self._spell is None else self._spell(token_id), logprob)
        if arrays is not None and not self.steady:
            token = self._with_details(token, self.rows[0], arrays)
        if self._spell is not None:
            self.outbox.append(token)
        else:
            self.outbox += self._text.push(token)
            if self._text.stopped:
                return self._stop()
        return None if self.left else self._finish(FinishReason.LENGTH)

    def _finish(self, reason: FinishReason) -> FinishReason:
        """Sends what is held back, unless that completes a stop text."""
        self.outbox += self._text.flush()
        return self._stop() if self._text.stopped else reason

    def _stop(self) -> FinishReason:
        self.withheld = self._text.withheld()
        return FinishReason.STOP

    def _with_details(self, token: GeneratedToken, row: int, arrays: Mapping[str, Array]) -> GeneratedToken:
        alternatives: tuple[Alternative, ...] = ()
        if self._alternatives:
            ids = arrays["top_tokens"][row, : self._alternatives].tolist()
            logprobs = arrays["top_logprobs"][row, : self._alternatives].tolist()
            alternatives = tuple(map(Alternative, ids, logprobs))
        attention = None
        if self._attention and "attention" in arrays:
            attention = arrays["attention"][row, : len(self.source)].copy()
        return token._replace(alternatives=alternatives, attention=attention)


class BeamSequence(_Stream):
    """A translation with several hypotheses, one lane each; its tokens are sent once the search is over.

    Args:
        stream_id: Unique in the engine.
        request: What was asked.
        arrival: When, on the engine's clock.
        text: Puts text to its tokens.
        end_id: The token that ends the sequence.
    """

    def __init__(
        self, stream_id: int, request: TranslationRequest, arrival: float, text: StreamText, end_id: int
    ) -> None:
        super().__init__(stream_id, request.source, request.max_tokens, request.deadline, request.standing, arrival)
        self.width = request.beam_size
        self._text = text
        self._attention = request.include_attention
        self._search = BeamSearch(request.beam_size, end_id, request.max_tokens, request.length_penalty)

    def accept(self, results: StepResults) -> FinishReason | None:
        """Takes the results of a step."""
        rows = self.rows
        attention: NDArray[np.float32] | None = None
        if self._attention and "attention" in results.arrays:
            attention = results.arrays["attention"][rows, : len(self.source)]
        survivors = self._search.advance(
            results.arrays["top_tokens"][rows], results.arrays["top_logprobs"][rows], attention
        )
        if survivors is None:
            return self._finish()
        self.next_tokens = survivors.tokens
        unchanged = survivors.sources == list(range(self.width))
        self.reorder = None if unchanged else survivors.sources
        return None

    def accept_run(self, tokens: Sequence[int], logprobs: Sequence[float]) -> FinishReason | None:
        """A search looks at every step.

        Raises:
            NotImplementedError: Always; it is never steady.
        """
        raise NotImplementedError

    def _finish(self) -> FinishReason:
        best = self._search.best()
        links = best.links()[:-1] if best.ended else best.links()
        for link in links:
            self.outbox += self._text.push(GeneratedToken(link.token_id, "", link.logprob, (), link.attention))
        self.outbox += self._text.flush()
        self.generated = len(links)
        self.score = best.logprob
        return FinishReason.END_OF_SEQUENCE if best.ended else FinishReason.LENGTH
