from collections.abc import Sequence

import numpy as np

from ostinato_server.engine.fault import Fault
from ostinato_server.statistics import Spent, Statistics


class Recorder:
    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def admitted(self, queue_seconds: float, trace_id: str) -> None:
        self.calls.append(("admitted", queue_seconds))

    def read_prompt(self, tokens: int) -> None:
        self.calls.append(("read_prompt", tokens))

    def first_token(self, seconds: float, trace_id: str) -> None:
        self.calls.append(("first_token", seconds))

    def stepped(self, batch: int, seconds: Sequence[float], generated: int, gaps: object) -> None:
        self.calls.append(("stepped", batch, seconds, generated))

    def load(self, running: int, waiting: int, parked: int) -> None:
        self.calls.append(("load", running, waiting, parked))

    def failed(self, fault: Fault) -> None:
        self.calls.append(("failed", fault))

    def ended(self) -> None:
        self.calls.append(("ended",))


def test_requests_count_by_how_they_ended_and_versions_apart() -> None:
    statistics = Statistics(lambda: 12.5)
    statistics.request_ended("m", 1, "ok", 0.25)
    statistics.request_ended("m", 1, "cancelled", 0.5)
    statistics.request_ended("m", 2, "ok", 1.0)
    counts = statistics.of("m", 1)
    assert (counts.answered, counts.failed) == (Spent(1, 250_000_000), Spent(1, 500_000_000))
    assert counts.last_ended_ms == 12_500
    assert statistics.of("m", 2).answered == Spent(1, 1_000_000_000)


def test_observer_counts_and_passes_everything_on() -> None:
    statistics, recorder = Statistics(lambda: 0.0), Recorder()
    observer = statistics.observe("m", 1, recorder)
    observer.admitted(0.125, "")
    observer.read_prompt(7)
    observer.first_token(0.5, "")
    for batch, seconds in ((2, [0.001, 0.002]), (4, [0.001])):
        observer.stepped(batch, seconds, batch, np.zeros(0))
    observer.load(1, 2, 3)
    observer.ended()
    counts = statistics.of("m", 1)
    assert counts.queued == Spent(1, 125_000_000)
    assert counts.executed == Spent(3, 4_000_000)
    assert counts.batches == {2: Spent(2, 3_000_000), 4: Spent(1, 1_000_000)}
    assert [call[0] for call in recorder.calls] == [
        "admitted", "read_prompt", "first_token", "stepped", "stepped", "load", "ended",
    ]  # fmt: skip
