"""Classification: texts that are waiting run together, sorted by length so that little is padding."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato_server.engine.admission import Admission
from ostinato_server.engine.fault import Fault
from ostinato_server.engine.observer import EngineObserver, RequestObserver
from ostinato_server.engine.request import Milestones, Priority
from ostinato_server.engine.worker import Worker
from ostinato_server.errors import DeadlineExpired, EngineFault
from ostinato_server.runtime.base import GraphRunner

PADDED_TOKENS = 4096
"""Tokens, padding included, that one run may hold: enough to fill the matrix product, little enough to be quick."""


@dataclass(slots=True)
class Classification:
    """A text to classify.

    Attributes:
        tokens: Its token ids, at least one.
        deadline: When it must be done, on the engine's clock.
        arrival: When it came.
        result: Told the probabilities, shape (classes,).
        trace_id: The trace that the request is kept in; empty for none.
        admitted_at: When its run began; written by the engine, as is the next one.
        done_at: When its run was over.
    """

    tokens: Sequence[int]
    deadline: float
    arrival: float
    result: asyncio.Future[NDArray[np.float32]]
    trace_id: str = ""
    admitted_at: float = 0.0
    done_at: float = 0.0


Outcome = tuple[Classification, NDArray[np.float32] | Exception]


class ClassifyEngine(Worker):
    """Runs a classifier over all texts that are waiting, in batches of similar length.

    Args:
        model: Name of the model.
        classifier: The graph (tokens (B, T), lengths (B)) → probabilities (B, classes).
        max_batch: Texts per run.
        padding_id: The token that fills up the shorter texts.
        deliver: Takes outcomes after each run; called on the engine's thread.
        observer: Told what was done.
        rehearsal: Runs the graph once; raises what it raises.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        model: str,
        classifier: GraphRunner,
        max_batch: int,
        padding_id: int,
        deliver: Callable[[list[Outcome]], None],
        observer: EngineObserver,
        rehearsal: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(f"engine-{model}", clock)
        self._model = model
        self._classifier = classifier
        self._max_batch = max_batch
        self._padding_id = padding_id
        self._deliver = deliver
        self._observer = observer
        self._rehearsal = rehearsal
        self._waiting: list[Classification] = []
        self._running: list[Classification] = []

    def handle(self, message: object) -> None:
        """Takes texts."""
        assert isinstance(message, list)  # noqa: S101 (the only message there is)
        self._waiting.extend(message)

    def cycle(self) -> bool:
        """Runs one batch."""
        self._drop_ended()
        batch = self._running = take_batch(self._waiting, self._max_batch)
        outcomes: list[Outcome] = []
        if batch:
            self._observer.load(len(batch), len(self._waiting), 0)
            started = self._clock()
            for text in batch:
                text.admitted_at = started
                self._observer.admitted(started - text.arrival, text.trace_id)
                self._observer.read_prompt(len(text.tokens))
            lengths = np.array([len(text.tokens) for text in batch], np.int64)
            tokens = np.full((len(batch), int(lengths.max())), self._padding_id, np.int64)
            for row, text in enumerate(batch):
                tokens[row, : len(text.tokens)] = text.tokens
            probabilities = self._classifier.run({"tokens": tokens, "lengths": lengths})["probabilities"]
            done = self._clock()
            for text in batch:
                text.done_at = done
            self._observer.stepped(len(batch), [done - started], 0, np.zeros(0))
            outcomes.extend(self._outcome(text, row) for text, row in zip(batch, probabilities, strict=True))
        self._observer.load(0, len(self._waiting), 0)
        if outcomes:
            self._deliver(outcomes)
        self._running = []
        return bool(self._waiting)

    def fail(self) -> None:
        """Fails the texts of the batch at hand; those still waiting have lost nothing and stay."""
        self._observer.failed(Fault.EXCEPTION)
        self._deliver([(text, EngineFault(self._model)) for text in self._running])
        self._running = []

    def rehearse(self) -> None:
        """Runs the graph once."""
        self._rehearsal()

    def _outcome(self, text: Classification, probabilities: NDArray[np.float32]) -> Outcome:
        if np.isfinite(probabilities).all():
            return text, probabilities
        self._observer.failed(Fault.NOT_FINITE)
        return text, EngineFault(self._model)

    def _drop_ended(self) -> None:
        now = self._clock()
        expired = [text for text in self._waiting if text.deadline <= now]
        if expired:
            self._deliver([(text, DeadlineExpired()) for text in expired])
        self._waiting = [text for text in self._waiting if text.deadline > now and not text.result.done()]


def take_batch(waiting: list[Classification], max_batch: int) -> list[Classification]:
    """Takes the text that has waited longest, and those nearest to it in length, out of ``waiting``.

    The batch holds at most ``max_batch`` texts and ``PADDED_TOKENS`` tokens with padding, but always one text.
    """
    if not waiting:
        return []
    wanted = len(waiting[0].tokens)
    order = sorted(range(len(waiting)), key=lambda index: (abs(len(waiting[index].tokens) - wanted), index))
    taken: list[int] = []
    longest = 0
    for index in order[:max_batch]:
        longest = max(longest, len(waiting[index].tokens))
        if taken and longest * (len(taken) + 1) > PADDED_TOKENS:
            break
        taken.append(index)
    batch = [waiting[index] for index in taken]
    left = set(range(len(waiting))).difference(taken)
    waiting[:] = [waiting[index] for index in sorted(left)]
    return batch


class ClassifyClient:
    """The event loop's side of a classification engine.

    Args:
        admission: Refuses what is over the bound.
        clock: Seconds, monotonic, the engine's.
    """

    def __init__(self, admission: Admission, clock: Callable[[], float]) -> None:
        self.admission = admission
        self._clock = clock
        self._suspended: Callable[[], Exception] | None = None
        self._unanswered: set[asyncio.Future[NDArray[np.float32]]] = set()
        self._engine: ClassifyEngine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def connect(self, engine: ClassifyEngine, loop: asyncio.AbstractEventLoop) -> None:
        """Ties the two sides together."""
        self._engine = engine
        self._loop = loop

    def disconnect(self) -> None:
        """Lets go of an engine that has ended: the two hold each other."""
        self._engine = None

    def suspend(self, why: Callable[[], Exception]) -> None:
        """Ends every request with an error and refuses new ones with it, until `resume`."""
        self._suspended = why
        for result in self._unanswered:
            if not result.done():
                result.set_exception(why())

    def resume(self) -> None:
        """Takes requests again."""
        self._suspended = None

    def deliver(self, outcomes: list[Outcome]) -> None:
        """Takes outcomes from the engine's thread to the event loop, one wake-up for all."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_hand_out, outcomes)

    async def classify(
        self, texts: Sequence[Sequence[int]], deadline: float, observer: RequestObserver | None = None
    ) -> list[NDArray[np.float32]]:
        """Classifies texts given as token ids.

        Args:
            texts: The token ids of each, at least one.
            deadline: When all must be done, on the engine's clock.
            observer: Told at the end how far the texts came: from the first one's run to the last one's.

        Returns:
            The class probabilities of each, shape (classes,), in the order of the texts.

        Raises:
            Overloaded: The queue is full; none of the texts was taken.
            DeadlineUnreachable: It is too long for the deadline; none of the texts was taken.
            DeadlineExpired: The deadline passed first.
            EngineFault: The runtime failed.
            Exception: What the client is suspended with.
        """
        assert self._engine is not None  # noqa: S101 (connected before the server takes requests)
        if self._suspended is not None:
            raise self._suspended()
        loop = asyncio.get_running_loop()
        now = self._clock()
        self.admission.enter(len(texts), deadline=deadline)
        trace_id = "" if observer is None else observer.sampled_trace_id
        batch = [Classification(tokens, deadline, now, loop.create_future(), trace_id) for tokens in texts]
        self._unanswered.update(text.result for text in batch)
        try:
            self._engine.post(batch)
            return list(await asyncio.gather(*(text.result for text in batch)))
        finally:
            for text in batch:
                served = text.result.done() and not text.result.cancelled() and text.result.exception() is None
                text.result.cancel()
                self._unanswered.discard(text.result)
                self.admission.leave(Priority.NORMAL, 0.0 if served else None)
            if observer is not None:
                observer.went(_milestones(batch))


def _milestones(batch: Sequence[Classification]) -> Milestones:
    """How far a request for several texts came."""
    begun = [text.admitted_at for text in batch if text.admitted_at]
    done = [text.done_at for text in batch]
    return Milestones(batch[0].arrival, min(begun, default=0.0), 0.0, max(done) if all(done) else 0.0)


def _hand_out(outcomes: list[Outcome]) -> None:
    for text, outcome in outcomes:
        if text.result.done():
            continue
        if isinstance(outcome, Exception):
            text.result.set_exception(outcome)
        else:
            text.result.set_result(outcome)
