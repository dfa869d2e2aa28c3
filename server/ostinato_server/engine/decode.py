"""The decode loop: admit, prepare, step, deliver, over and over, for one model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ostinato_server.engine.batch import Batch
from ostinato_server.engine.observer import EngineObserver
from ostinato_server.engine.outbox import Delivery, Outbox
from ostinato_server.engine.preparation import Preparation
from ostinato_server.engine.request import Continuation, Finished, FinishReason, GeneratedToken
from ostinato_server.engine.scheduler import Scheduler
from ostinato_server.engine.sequence import EngineSequence
from ostinato_server.engine.worker import Worker
from ostinato_server.errors import DeadlineExpired, EngineFault


class Submit(NamedTuple):
    """A new stream, and how many tokens its reader takes before it must ask for more."""

    sequence: EngineSequence
    credit: int


class Cancel(NamedTuple):
    """The reader has gone."""

    stream_id: int


class Grant(NamedTuple):
    """The reader takes so many tokens more."""

    stream_id: int
    credit: int


class DecodeEngine(Worker):
    """Advances all streams of a model together, a step at a time.

    Args:
        model: Name of the model.
        batch: The rows.
        preparation: Readies a stream for its first step.
        capacity: Rows that streams may take together.
        outbox: Decides when tokens go out.
        deliver: Takes what the streams were given; called on the engine's thread.
        observer: Told what was done.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        model: str,
        batch: Batch,
        preparation: Preparation,
        capacity: int,
        outbox: Outbox,
        deliver: Callable[[list[Delivery]], None],
        observer: EngineObserver,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(f"engine-{model}")
        self._model = model
        self._batch = batch
        self._preparation = preparation
        self._scheduler: Scheduler[EngineSequence] = Scheduler(capacity)
        self._credits: dict[int, int] = {}
        self._outbox = outbox
        self._deliver = deliver
        self._observer = observer
        self._clock = clock

    def handle(self, message: object) -> None:
        """Takes a message."""
        match message:
            case Submit(sequence, credit):
                self._credits[sequence.id] = credit
                self._scheduler.submit(sequence)
                self._observer.read_prompt(len(sequence.source))
            case Cancel(stream_id):
                ended = self._scheduler.get(stream_id)
                if ended is not None:
                    self._drop(ended)
                    self._outbox.forget(stream_id)
            case Grant(stream_id, credit):
                if stream_id in self._credits:
                    self._credits[stream_id] += credit
                    if self._credits[stream_id] > 0:
                        self._scheduler.resume(stream_id)

    def cycle(self) -> bool:
        """Admits, prepares, steps and delivers once."""
        self._expire()
        self._admit()
        if len(self._preparation):
            for sequence in self._preparation.advance(busy=len(self._batch) > 0):
                if sequence.satisfied:
                    self._end(sequence, FinishReason.LENGTH, (), self._clock())
                else:
                    self._batch.add(sequence)
        if len(self._batch):
            self._step()
        self._flush(idle=not len(self._batch))
        self._observer.load(self._scheduler.running, self._scheduler.waiting, self._scheduler.parked)
        return self._scheduler.running > 0 or self._scheduler.waiting > 0

    def fail(self) -> None:
        """Ends every stream in the batch or on its way there; those waiting or parked have lost nothing and stay."""
        for sequence in self._scheduler.all():
            if sequence.admitted_at and sequence.saved is None:
                self._drop(sequence)
                self._outbox.end(sequence.id, (), EngineFault(self._model))
        self._flush(idle=True)

    def _expire(self) -> None:
        for sequence in self._scheduler.expired(self._clock()):
            self._drop(sequence)
            self._outbox.end(sequence.id, (), DeadlineExpired())

    def _admit(self) -> None:
        for sequence in self._scheduler.admit():
            if sequence.admitted_at:
                self._batch.add(sequence)
                continue
            sequence.admitted_at = self._clock()
            self._observer.admitted(sequence.admitted_at - sequence.arrival)
            self._preparation.begin(sequence)

    def _step(self) -> None:
        started = self._clock()
        rows = len(self._batch)
        results = self._batch.step()
        now = self._clock()
        # All streams read their results before any of them leaves its row.
        accepted = [(sequence, sequence.accept(results)) for sequence in self._batch.sequences.values()]
        gaps: list[float] = []
        generated = 0
        for sequence, reason in accepted:
            tokens, sequence.outbox = sequence.outbox, []
            first = not sequence.first_token_at
            if tokens:
                generated += len(tokens)
                if first:
                    sequence.first_token_at = now
                    self._observer.first_token(now - sequence.arrival)
                else:
                    gaps.append(now - sequence.last_token_at)
                sequence.last_token_at = now
            if reason is not None:
                self._end(sequence, reason, tokens, now)
                continue
            if sequence.steered:  # a beam, or a prompt that is read in steps
                self._batch.redirect(sequence)
            if tokens:
                self._outbox.add(sequence.id, tokens, first=first)
                self._charge(sequence, len(tokens))
        self._observer.stepped(rows, now - started, generated, np.array(gaps))

    def _charge(self, sequence: EngineSequence, tokens: int) -> None:
        """Takes tokens off a reader's credit; a stream whose reader lags behind leaves the batch."""
        left = self._credits[sequence.id] - tokens
        self._credits[sequence.id] = left
        if left <= 0:
            self._batch.park(sequence)
            self._scheduler.park(sequence)

    def _end(
        self, sequence: EngineSequence, reason: FinishReason, tokens: Sequence[GeneratedToken], now: float
    ) -> None:
        """Ends a stream that has come to its end; its state goes out with it if another is to go on from there."""
        if sequence.keeps_state and sequence.rows:
            self._batch.park(sequence)
        self._drop(sequence)
        self._outbox.end(sequence.id, tokens, self._summary(sequence, reason, now))

    def _drop(self, sequence: EngineSequence) -> None:
        self._scheduler.remove(sequence.id)
        self._credits.pop(sequence.id, None)
        self._preparation.discard(sequence)
        if sequence.rows:
            self._batch.remove(sequence)

    def _flush(self, *, idle: bool) -> None:
        deliveries = self._outbox.due(self._clock(), idle=idle)
        if deliveries:
            self._deliver(deliveries)

    @staticmethod
    def _summary(sequence: EngineSequence, reason: FinishReason, now: float) -> Finished:
        first = sequence.first_token_at or now
        left = None
        if sequence.keeps_state and sequence.saved is not None:
            left = Continuation(sequence.saved.state, tuple(sequence.next_tokens))
        return Finished(
            reason=reason,
            generated_tokens=sequence.generated,
            score=sequence.score,
            queue_seconds=sequence.admitted_at - sequence.arrival,
            first_token_seconds=first - sequence.arrival,
            total_seconds=now - sequence.arrival,
            withheld=sequence.withheld,
            continuation=left,
        )
