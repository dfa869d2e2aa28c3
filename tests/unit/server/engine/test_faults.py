"""What fails when a runtime does, and what goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from tests.unit.server.engine.rig import Counts, Rig
from tests.unit.server.engine.toy import continuation

from ostinato_server.engine.classify import Classification, ClassifyEngine, Outcome
from ostinato_server.engine.fault import Fault
from ostinato_server.engine.request import Finished
from ostinato_server.engine.worker import Worker
from ostinato_server.errors import EngineFault
from ostinato_server.runtime.base import Array

LONG_PROMPT = [index % 5 for index in range(100)]


def broken_cycle(rig: Rig) -> None:
    """A cycle that throws, and what the engine's thread does then."""
    with pytest.raises(RuntimeError, match="the toy broke"):
        rig.engine.cycle()
    rig.engine.fail()


def test_a_step_that_throws_fails_the_streams_in_the_batch_and_no_others() -> None:
    rig = Rig(capacity=2)
    rig.submit(1, [1])
    rig.submit(2, [2], 20, credit=1)
    rig.submit(3, [3])
    rig.submit(4, [4])
    rig.run(2)
    assert rig.observer.parked == 1
    rig.table.failing = True
    broken_cycle(rig)
    rig.table.failing = False
    rig.engine.rehearse()
    rig.engine.handle(rig.grant(2))
    rig.run()
    assert {number for number, end in rig.ends.items() if isinstance(end, EngineFault)} == {1, 3}
    assert rig.tokens[2] == continuation([2], 20)
    assert rig.tokens[4] == continuation([4], 8)
    assert rig.observer.faults == [Fault.EXCEPTION]


def test_a_prompt_that_throws_fails_alone_while_the_batch_goes_on() -> None:
    rig = Rig(capacity=3)
    rig.submit(1, [1], 100)
    rig.run(2)
    rig.submit(2, LONG_PROMPT)
    rig.prefill.failing = True
    broken_cycle(rig)
    rig.prefill.failing = False
    rig.engine.rehearse()
    rig.submit(3, LONG_PROMPT)
    rig.run()
    assert isinstance(rig.ends[2], EngineFault)
    assert rig.tokens[1] == continuation([1], 100)
    assert rig.tokens[3] == continuation(LONG_PROMPT, 8)


def test_prompts_that_wait_for_their_turn_outlive_one_that_throws() -> None:
    rig = Rig(capacity=3)
    rig.submit(1, LONG_PROMPT)
    rig.submit(2, LONG_PROMPT)
    rig.prefill.failing = True
    broken_cycle(rig)
    rig.prefill.failing = False
    rig.run()
    assert isinstance(rig.ends[1], EngineFault)
    assert rig.tokens[2] == continuation(LONG_PROMPT, 8)


def test_a_table_that_takes_no_state_fails_every_stream_that_was_on_its_way_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(capacity=4)
    for number in (1, 2, 3):
        rig.submit(number, [number])

    def refuse(*_: object) -> None:
        raise RuntimeError("the toy broke")

    with monkeypatch.context() as patched:
        patched.setattr(rig.table, "write", refuse)
        broken_cycle(rig)
    rig.submit(4, [4])
    rig.run()
    assert {number for number, end in rig.ends.items() if isinstance(end, EngineFault)} == {1, 2, 3}
    assert rig.tokens[4] == continuation([4], 8)


@pytest.mark.parametrize(
    ("name", "value"), [("logprob", np.nan), ("logprob", np.inf), ("next_token", 5), ("next_token", -1)]
)
@pytest.mark.parametrize("message_seconds", [0.0, 1.0], ids=["step", "run"])
def test_a_row_that_is_given_no_token_or_no_probability_fails_alone(
    name: str, value: float, message_seconds: float
) -> None:
    rig = Rig(capacity=3, message_seconds=message_seconds)
    rig.table.when_stepped = lambda: rig.pass_time(1e-3)
    for number in (1, 2, 3):
        rig.submit(number, [number], 40)
    rig.run(3)

    def spoil(results: dict[str, Array]) -> None:
        results[name][1] = value
        rig.table.spoil = None

    rig.table.spoil = spoil
    rig.run()
    assert isinstance(rig.ends[2], EngineFault)
    assert rig.tokens[2] == continuation([2], 40)[: len(rig.tokens[2])]
    for number in (1, 3):
        assert rig.tokens[number] == continuation([number], 40)
        assert isinstance(rig.ends[number], Finished)
    assert rig.observer.faults == [Fault.NOT_FINITE]
    assert (max(rig.observer.runs) > 1) == (message_seconds > 0)


def test_a_row_whose_state_the_runtime_calls_broken_fails_alone() -> None:
    rig = Rig(capacity=2)
    for number in (1, 2):
        rig.submit(number, [number])
    rig.run(2)
    rig.table.broken_rows = [0]
    rig.run()
    assert isinstance(rig.ends[1], EngineFault)
    assert rig.tokens[2] == continuation([2], 8)


def test_a_prompt_that_leaves_no_finite_state_fails_before_its_first_step() -> None:
    rig = Rig(capacity=2)
    rig.submit(1, [1], 20)
    rig.run(2)
    rig.prefill.lost = True
    rig.submit(2, LONG_PROMPT)
    rig.run()
    assert isinstance(rig.ends[2], EngineFault)
    assert rig.tokens[2] == []
    assert rig.tokens[1] == continuation([1], 20)


class ToyClassifier:
    """Scores by the first token; what begins with 9 has no score, and 8 breaks it."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        first = inputs["tokens"][:, 0]
        if (first == 8).any():
            raise RuntimeError("the toy broke")
        scores = np.where(first == 9, np.nan, 0.5).astype(np.float32)
        return {"probabilities": np.stack([scores, scores], axis=1)}


def test_a_text_without_a_score_fails_alone_and_one_that_throws_fails_its_run() -> None:
    outcomes: list[Outcome] = []
    observer = Counts()
    engine = ClassifyEngine(
        "toy",
        ToyClassifier(),
        2,
        0,
        outcomes.extend,
        observer,
        lambda: None,
        lambda: 0.0,
    )
    texts = [Classification([first], 1.0, 0.0, Unheard()) for first in (1, 9, 8, 2, 3)]  # type: ignore[arg-type]
    engine.handle(texts)
    engine.cycle()
    with pytest.raises(RuntimeError):
        engine.cycle()
    engine.fail()
    while engine.cycle():
        pass
    assert [text.tokens[0] for text, _ in outcomes] == [1, 9, 8, 2, 3]
    assert [isinstance(outcome, EngineFault) for _, outcome in outcomes] == [False, True, True, True, False]
    assert observer.faults == [Fault.NOT_FINITE, Fault.EXCEPTION]


class Unheard:
    """A result that nobody waits for."""

    def done(self) -> bool:
        return False


class Broken(Worker):
    """Throws at its work, and at its rehearsals until it is mended."""

    def __init__(self, *, hopeless: bool = False) -> None:
        self.now = 0.0
        super().__init__("broken", lambda: self.now)
        self.hopeless = hopeless
        self.mended = threading.Event()
        self.rehearsals = 0
        self.done: list[object] = []
        self.worked = threading.Event()

    def handle(self, message: object) -> None:
        self.done.append(message)

    def cycle(self) -> bool:
        if not self.mended.is_set():
            raise RuntimeError("broke")
        self.worked.set()
        return False

    def fail(self) -> None:
        if self.hopeless:
            raise RuntimeError("broke again")

    def rehearse(self) -> None:
        self.rehearsals += 1
        if not self.mended.is_set():
            raise RuntimeError("broke once more")


def eventually(holds: Callable[[], bool]) -> None:
    """Waits for what another thread brings about."""
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
    assert holds()


def test_a_worker_that_fails_its_rehearsals_is_faulty_until_one_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ostinato_server.engine.worker.REHEARSAL_SECONDS", 1e-3)
    worker = Broken()
    worker.start()
    assert worker.fault(1.0) is None
    worker.post("work")
    eventually(lambda: worker.fault(1.0) is Fault.FAULTY)
    eventually(lambda: worker.rehearsals > 2)
    assert not worker.worked.is_set()
    worker.mended.set()
    assert worker.worked.wait(10)
    eventually(lambda: worker.fault(1.0) is None)
    worker.stop(10)
    assert worker.fault(1.0) is None


def test_a_worker_whose_failure_fails_has_ended() -> None:
    worker = Broken(hopeless=True)
    worker.start()
    worker.post("work")
    eventually(lambda: worker.fault(1.0) is Fault.ENDED)


class Slow(Broken):
    """Works until it is let go on."""

    def cycle(self) -> bool:
        self.worked.set()
        self.mended.wait(10)
        return False


def test_a_worker_is_stalled_once_its_piece_of_work_takes_longer_than_it_may() -> None:
    worker = Slow()
    worker.start()
    worker.post("work")
    assert worker.worked.wait(10)
    worker.now = 0.9
    assert worker.fault(1.0) is None
    worker.now = 1.0
    assert worker.fault(1.0) is Fault.STALLED
    worker.mended.set()
    eventually(lambda: worker.fault(1.0) is None)
    worker.now = 100.0
    assert worker.fault(1.0) is None  # it waits for work, it is not held up by any
    worker.stop(10)
