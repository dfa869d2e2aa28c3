"""The wall clock may jump: nothing that the server promises goes by it."""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import grpc
import pytest
from tests.integration.conversation import Conversation
from tests.integration.harness import RunningServer, Stubs, continued, fold, serving

import ostinato_server

DAY = 86_400.0
WALL_CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today"}


class WallClock:
    """The process's wall clock, which a test may put forward or back.

    Requests of these tests have no deadlines of their own: grpc's Python side turns those to seconds left by asking
    ``time.time``, where its own reading of the clock, which a test cannot move, would have jumped too.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        really = time.time
        monkeypatch.setattr(time, "time", lambda: really() + self.ahead)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    return WallClock(monkeypatch)


@pytest.fixture
def patient(repository: Path, wall: WallClock) -> Iterator[RunningServer]:
    del wall  # before the server takes it
    with serving(repository, max_deadline_seconds=60.0, session_idle_seconds=60.0, stall_seconds=60.0) as running:
        yield running


def converse(server: RunningServer) -> Conversation:
    """A session whose call has no deadline."""
    session = server.generation.GenerateSession
    stubs = SimpleNamespace(generation=SimpleNamespace(GenerateSession=lambda requests, timeout: session(requests)))
    return Conversation(cast("Stubs", stubs))


@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forward", "back"])
def test_streams_sessions_and_measures_do_not_notice_a_jump(
    patient: RunningServer, wall: WallClock, jump: float
) -> None:
    whole = fold(patient.generation.Generate(continued(400))).text
    stream = patient.generation.Generate(continued(400))
    first = next(stream)
    session = converse(patient)
    turn = session.turn("The cat").text

    wall.ahead = jump

    assert fold(chain([first], stream)).text == whole
    assert len(session.turn(" and").text) == len(turn)
    session.close()
    assert fold(patient.generation.Generate(continued(400))).text == whole
    samples = patient.scrape()
    sums = {name: value for (name, _), value in samples.items() if "_seconds_sum" in name}
    assert len(sums) > 4
    for name, value in sums.items():
        assert 0 <= value < DAY / 2, name
    assert samples["ostinato_engine_faults_total", (("kind", "stalled"), ("model", "char-lm"))] == 0


@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forward", "back"])
def test_deadlines_and_idle_sessions_expire_by_the_time_that_passes(
    repository: Path, wall: WallClock, jump: float
) -> None:
    with serving(repository, max_deadline_seconds=0.1, session_idle_seconds=0.1) as hasty:
        session = converse(hasty)
        session.turn("The cat", most=1)
        wall.ahead = jump
        with pytest.raises(grpc.RpcError) as late:
            fold(hasty.generation.Generate(continued(10_000)))
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert session.failure().code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_the_server_asks_for_the_wall_clock_only_to_tell_people_the_time() -> None:
    """Triton's statistics hold the time of the last request, traces that of each, and certificates expire."""
    folder = Path(ostinato_server.__file__).parent
    found = [
        f"{path.relative_to(folder)}: {ast.unparse(node)}"
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in WALL_CLOCKS
    ]
    assert found == ["app.py: time.time", "rpc/spans.py: time.time_ns", "rpc/tls.py: datetime.now"]
