"""What a ClassifyStream leaves behind: scores that never come, on models that are nothing but their names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ostinato.v1 import sentiment_pb2 as pb
from ostinato_server.errors import EngineFault
from ostinato_server.repository.uses import Uses
from ostinato_server.rpc import fields, sentiment
from ostinato_server.rpc.sessions import Sessions

WAIT_SECONDS = 30
REQUEST = pb.ClassifyStreamRequest(model="m", text="fine")


class Desk:
    """As much of the desk as a stream asks."""

    def __init__(self) -> None:
        self.sessions = Sessions(1, 60.0, lambda _: None)
        self.model = SimpleNamespace(uses=Uses())

    def find(self, *_: object) -> Any:
        return self.model

    def deadline(self, _: object) -> float:
        return 0.0

    @contextmanager
    def count(self, _: object) -> Iterator[Any]:
        yield SimpleNamespace(read=lambda _: None)


class Scene:
    """A service whose scores come when a test lets them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.desk = Desk()
        self.started = 0
        self.score = asyncio.Event()
        self.error: Exception | None = None
        monkeypatch.setattr(sentiment, "score_texts", self._score)
        monkeypatch.setattr(fields, "words", lambda *_: [1])
        self.service = sentiment.SentimentService(cast("Any", self.desk))

    async def _score(self, *_: object) -> list[pb.SentimentScore]:
        self.started += 1
        await self.score.wait()
        if self.error is not None:
            raise self.error
        return [pb.SentimentScore()]

    def stream(self, requests: AsyncIterator[pb.ClassifyStreamRequest]) -> AsyncIterator[pb.ClassifyStreamResponse]:
        return self.service.ClassifyStream(cast("Any", requests), cast("Any", None))


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


async def endless() -> AsyncIterator[pb.ClassifyStreamRequest]:
    while True:
        yield REQUEST


async def settled() -> None:
    """Lets every task go as far as it can."""
    for _ in range(20 * sentiment.STREAM_WINDOW):
        await asyncio.sleep(0)


async def test_cancelled_stream_whose_window_is_full_leaves_no_task_running(scene: Scene) -> None:
    before = asyncio.all_tasks()
    reading = asyncio.ensure_future(anext(scene.stream(endless())))
    await settled()
    assert scene.started == sentiment.STREAM_WINDOW
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert scene.desk.model.uses.count == 0
    await settled()
    assert asyncio.all_tasks() == before


async def test_text_that_fails_ends_the_stream_and_every_text_behind_it(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    before = asyncio.all_tasks()
    scene.error = EngineFault("m")
    scene.score.set()
    with pytest.raises(EngineFault):
        await anext(scene.stream(endless()))
    await settled()
    assert asyncio.all_tasks() == before
    assert caplog.records == []


async def test_window_moves_on_with_the_answers_that_were_read(scene: Scene) -> None:
    scene.score.set()
    answers = scene.stream(endless())
    numbers = [(await anext(answers)).sequence_number for _ in range(3 * sentiment.STREAM_WINDOW)]
    assert numbers == list(range(3 * sentiment.STREAM_WINDOW))
    await answers.aclose()  # type: ignore[attr-defined]


async def test_requests_that_break_off_end_the_stream_behind_the_answers_before_them(scene: Scene) -> None:
    async def broken() -> AsyncIterator[pb.ClassifyStreamRequest]:
        yield REQUEST
        raise ConnectionError("gone")

    scene.score.set()
    answers = scene.stream(broken())
    assert (await anext(answers)).sequence_number == 0
    with pytest.raises(ConnectionError, match="gone"):
        await anext(answers)
