"""A decode engine driven by hand over the toy model, on a clock that only the test moves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tests.unit.server.engine.toy import VOCABULARY, ToyPrefill, ToyTable

from ostinato_server.engine.batch import Batch
from ostinato_server.engine.decode import DecodeEngine, Grant, Submit
from ostinato_server.engine.fault import Fault
from ostinato_server.engine.outbox import Delivery, Outbox
from ostinato_server.engine.preparation import PromptReading
from ostinato_server.engine.request import Continuation, Finished, GenerationRequest, SamplingParameters
from ostinato_server.engine.sequence import SampledSequence
from ostinato_server.engine.text import StreamText
from ostinato_server.repository.detokenizers import TableDetokenizer

NUMBERS = [str(token) for token in range(1000)]


def digits(stop: Sequence[str] = (), resumed: Sequence[int] = (), words: Sequence[str] = NUMBERS) -> StreamText:
    """The text of a stream whose tokens mean nothing: their numbers, or other words."""
    return StreamText(TableDetokenizer(words), stop, resumed)


class Counts:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.running: list[int] = []
        self.runs: list[int] = []
        self.generated = 0
        self.first_tokens = 0
        self.gaps = 0
        self.parked = 0
        self.faults: list[Fault] = []

    def admitted(self, queue_seconds: float, trace_id: str) -> None:
        pass

    def read_prompt(self, tokens: int) -> None:
        pass

    def first_token(self, seconds: float, trace_id: str) -> None:
        self.first_tokens += 1

    def stepped(self, batch: int, seconds: Sequence[float], generated: int, gaps: NDArray[np.float64]) -> None:
        self.runs.append(len(seconds))
        self.generated += generated
        self.gaps += len(gaps)

    def load(self, running: int, waiting: int, parked: int) -> None:
        self.running.append(running)
        self.parked = parked

    def failed(self, fault: Fault) -> None:
        self.faults.append(fault)

    def ended(self) -> None:
        pass


class Rig:
    """An engine driven by hand, one cycle at a time, on a clock that only the test moves."""

    def __init__(self, capacity: int = 4, *, prefill: bool = True, message_seconds: float = 0.0) -> None:
        self.now = 100.0
        self.table = ToyTable(capacity)
        self.prefill = ToyPrefill()
        self.observer = Counts()
        self.words: Sequence[str] = NUMBERS
        self.tokens: dict[int, list[int]] = defaultdict(list)
        self.ends: dict[int, Finished | Exception] = {}
        preparation = PromptReading(self.prefill if prefill else None, ((1,),), None, self.clock)
        outbox = Outbox(message_seconds)
        self.engine = DecodeEngine(
            "toy",
            Batch(self.table, VOCABULARY),
            preparation,
            capacity,
            outbox,
            self.deliver,
            self.observer,
            self.rehearse,
            self.clock,
        )

    def rehearse(self) -> None:
        self.table.step(1)

    def clock(self) -> float:
        return self.now

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def deliver(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            assert delivery.stream_id not in self.ends, "nothing may follow the end of a stream"
            self.tokens[delivery.stream_id].extend(token.token_id for token in delivery.tokens)
            if delivery.end is not None:
                self.ends[delivery.stream_id] = delivery.end

    def submit(
        self,
        number: int,
        prompt: Sequence[int],
        max_tokens: int = 8,
        *,
        credit: int = 10_000,
        deadline: float = float("inf"),
        end_id: int | None = None,
        stop: tuple[str, ...] = (),
        after: Continuation | None = None,
        keeps_state: bool = False,
        resumed: tuple[int, ...] = (),
    ) -> None:
        request = GenerationRequest(
            prompt=tuple(prompt),
            after=after,
            keeps_state=keeps_state,
            resumed=resumed,
            sampling=SamplingParameters(seed=number),
            max_tokens=max_tokens,
            stop=stop,
            deadline=deadline,
        )
        sequence = SampledSequence(number, request, self.now, digits(stop, resumed, self.words), end_id)
        self.engine.handle(Submit(sequence, credit))

    def grant(self, number: int) -> Grant:
        return Grant(number, 10_000)

    def run(self, cycles: int = 10_000) -> None:
        for _ in range(cycles):
            if not self.engine.cycle():
                return
