"""The decode loop: admit, prepare, step, deliver, over and over, for one model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato_server.engine.batch import Batch
from ostinato_server.engine.fault import Fault
from ostinato_server.engine.observer import EngineObserver
from ostinato_server.engine.outbox import Delivery, Outbox
from ostinato_server.engine.preparation import Preparation
from ostinato_server.engine.request import Continuation, Finished, FinishReason, GeneratedToken
from ostinato_server.engine.scheduler import Scheduler
from ostinato_server.engine.sequence import EngineSequence
from ostinato_server.engine.worker import Worker
from ostinato_server.errors import DeadlineExpired, EngineFault

LONGEST_RUN = 16
"""Steps in a row that nobody looks at; a stream that ends among them takes its row through the rest in vain."""

LONGEST_WAIT = 10e-3
"""Seconds that a run of several steps is meant to take at most: a newcomer, and a slot given up, wait for its end."""


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


class _Tally:
    """What the streams of a batch were given by some steps.

    Attributes:
        counts: Tokens of each stream that was given any.
        since_last: Seconds from each such stream's last token to the first of these.
    """

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.since_last: list[float] = []

    @property
    def generated(self) -> int:
        """Tokens together."""
        return sum(self.counts)

    def gaps(self, durations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Seconds before each token, given those between the ends of the steps."""
        later = np.array(self.counts)[:, np.newaxis] > np.arange(1, len(durations) + 1)
        return np.concatenate([self.since_last, np.broadcast_to(durations, later.shape)[later]])


def _without(broken: list[EngineSequence], sequences: list[EngineSequence]) -> list[EngineSequence]:
    """The streams that go on."""
    return [sequence for sequence in sequences if sequence not in broken] if broken else sequences


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
        rehearsal: Runs every graph once, in the table's first row; raises what they raise.
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
        rehearsal: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(f"engine-{model}", clock)
        self._model = model
        self._batch = batch
        self._preparation = preparation
        self._scheduler: Scheduler[EngineSequence] = Scheduler(capacity)
        self._credits: dict[int, int] = {}
        self._outbox = outbox
        self._deliver = deliver
        self._observer = observer
        self._rehearsal = rehearsal
        self._preparing = False
        self._step_seconds = 0.0
        """What a step took last."""

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
            for sequence in self._prepared():
                if sequence.saved is not None and not sequence.saved.finite:
                    self._break(sequence, Fault.NOT_FINITE)
                elif (reason := sequence.satisfied) is not None:
                    self._end(sequence, reason, (), self._clock())
                else:
                    self._batch.add(sequence)
        if len(self._batch):
            self._step()
        self._flush(idle=not len(self._batch))
        self._observer.load(self._scheduler.running, self._scheduler.waiting, self._scheduler.parked)
        return self._scheduler.running > 0 or self._scheduler.waiting > 0

    @property
    def due_at(self) -> float:
        """The next deadline: a preempted stream has to end at its own, also while nothing runs."""
        return self._scheduler.next_deadline

    def fail(self) -> None:
        """Ends the streams whose work it was; all others have lost nothing and stay.

        What throws is the preparation of some streams, or it concerns the table, and then every state that is in it.
        """
        self._observer.failed(Fault.EXCEPTION)
        if not self._preparing:
            self._batch.clear()
        self._preparing = False
        for sequence in self._scheduler.in_slots():
            if not sequence.rows and sequence not in self._preparation:
                self._break(sequence)
        self._flush(idle=True)

    def rehearse(self) -> None:
        """Runs every graph once, unless the batch proves by itself that they can be run."""
        if not len(self._batch):
            self._rehearsal()

    def _prepared(self) -> list[EngineSequence]:
        """Goes on with the preparation; gives the streams that are ready."""
        self._preparing = True
        ready = self._preparation.advance(busy=len(self._batch) > 0)
        self._preparing = False
        return ready

    def _break(self, sequence: EngineSequence, fault: Fault | None = None) -> None:
        """Ends a stream that the runtime has failed, and tells of it unless that was done."""
        if fault is not None:
            self._observer.failed(fault)
        self._drop(sequence)
        self._outbox.end(sequence.id, (), EngineFault(self._model))

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
            self._observer.admitted(sequence.admitted_at - sequence.arrival, sequence.trace_id)
            self._preparation.begin(sequence)

    def _step(self) -> None:
        """Makes one step, or several where nothing can come between them."""
        started = self._clock()
        rows = len(self._batch)
        sequences = list(self._batch.sequences.values())
        # All streams read their results before any of them leaves its row.
        if all(sequence.steady for sequence in sequences):
            steps = min(self._steps_ahead(started), max(sequence.left for sequence in sequences))
            for sequence in sequences:
                overruns = sequence.keeps_state and sequence.may_end_before(steps)
                sequence.before_run = self._batch.left_off(sequence) if overruns else None
            run = self._batch.run(steps)
            ends = np.linspace(started, self._clock(), steps + 1)[1:].tolist()
            broken = run.broken
            sequences = _without(broken, sequences)
            reasons = [
                sequence.accept_run(run.tokens[sequence.rows[0]], run.logprobs[sequence.rows[0]])
                for sequence in sequences
            ]
        else:
            results = self._batch.step()
            ends = [self._clock()]
            broken = results.broken
            sequences = _without(broken, sequences)
            reasons = [sequence.accept(results) for sequence in sequences]
        self._step_seconds = (ends[-1] - started) / len(ends)
        tally = _Tally()
        for sequence, reason in zip(sequences, reasons, strict=True):
            self._settle(sequence, reason, ends, tally)
        for sequence in broken:
            self._break(sequence, Fault.NOT_FINITE)
        durations = np.diff(ends, prepend=started)
        self._observer.stepped(rows, durations.tolist(), tally.generated, tally.gaps(durations[1:]))

    def _steps_ahead(self, now: float) -> int:
        """Steps to make in a row: up to the first after which tokens go out or a prompt is read on, but not many."""
        until = min(self._outbox.paid_at, self._scheduler.next_deadline, self._preparation.due_at, now + LONGEST_WAIT)
        if self._step_seconds <= 0 or until <= now:
            return 1
        return min(math.ceil((until - now) / self._step_seconds), LONGEST_RUN)

    def _settle(self, sequence: EngineSequence, reason: FinishReason | None, ends: list[float], tally: _Tally) -> None:
        """Sends what a stream was given, and lets it leave where it has ended or its reader lags."""
        tokens, sequence.outbox = sequence.outbox, []
        first = not sequence.first_token_at
        if tokens:
            if first:
                sequence.first_token_at = ends[0]
                self._observer.first_token(ends[0] - sequence.arrival, sequence.trace_id)
            else:
                tally.since_last.append(ends[0] - sequence.last_token_at)
            tally.counts.append(len(tokens))
            sequence.last_token_at = ends[-1]
        if reason is not None:
            self._end(sequence, reason, tokens, ends[-1])
            return
        if sequence.steered:  # a beam, or a prompt that is read in steps
            self._batch.redirect(sequence)
        if tokens:
            self._outbox.add(sequence.id, tokens, first=first)
            self._charge(sequence, len(tokens))

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
        continuation = self._left_off(sequence) if sequence.keeps_state else None
        self._drop(sequence)
        self._outbox.end(sequence.id, tokens, self._summary(sequence, reason, now, continuation))

    def _left_off(self, sequence: EngineSequence) -> Continuation:
        """Where a stream that has ended is gone on from."""
        if sequence.saved is not None:  # it never came into the batch
            return Continuation(sequence.saved.state, tuple(sequence.next_tokens))
        return sequence.before_run or self._batch.left_off(sequence)

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
    def _summary(
        sequence: EngineSequence, reason: FinishReason, now: float, continuation: Continuation | None
    ) -> Finished:
        first = sequence.first_token_at or now
        return Finished(
            reason=reason,
            generated_tokens=sequence.generated,
            score=sequence.score,
            queue_seconds=sequence.admitted_at - sequence.arrival,
            first_token_seconds=first - sequence.arrival,
            total_seconds=now - sequence.arrival,
            withheld=sequence.withheld[0],
            withheld_tokens=sequence.withheld[1],
            continuation=continuation,
        )
