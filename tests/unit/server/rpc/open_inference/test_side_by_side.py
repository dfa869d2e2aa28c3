"""What the generator does, on an event loop alone: whoever runs waits on events that the test sets."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.errors import DeadlineExpired
from ostinato_server.rpc.open_inference.side_by_side import side_by_side

PLENTY = 1000.0
"""Seconds that no request takes here."""


async def asked(*names: str) -> AsyncIterator[str]:
    for name in names:
        yield name


async def settle() -> None:
    """Lets every task that can go on do so."""
    for _ in range(50):
        await asyncio.sleep(0)


class Work:
    """Requests that answer with their name once they are let go."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.may_go: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def answer(self, name: str) -> AsyncGenerator[str]:
        self.begun.append(name)
        try:
            await self.may_go[name].wait()
            yield name
        finally:
            self.ended.append(name)


async def test_a_request_that_waits_is_overtaken_by_the_next() -> None:
    work = Work()
    async with aclosing(side_by_side(asked("slow", "quick"), work.answer, 2, PLENTY)) as answers:
        work.may_go["quick"].set()
        assert await anext(answers) == "quick"
        work.may_go["slow"].set()
        assert [answer async for answer in answers] == ["slow"]


@given(pieces=st.lists(st.integers(0, 5), max_size=6), most=st.integers(1, 4))
def test_pieces_of_every_request_come_all_and_in_their_order(pieces: list[int], most: int) -> None:
    async def answer(request: str) -> AsyncGenerator[tuple[str, int]]:
        for piece in range(pieces[int(request)]):
            await asyncio.sleep(0)
            yield request, piece

    async def collect() -> list[tuple[str, int]]:
        requests = asked(*map(str, range(len(pieces))))
        return [each async for each in side_by_side(requests, answer, most, PLENTY)]

    came = asyncio.run(collect())
    for request, count in enumerate(pieces):
        assert [piece for name, piece in came if name == str(request)] == list(range(count))
    assert len(came) == sum(pieces)


async def test_no_more_run_than_may_and_the_next_begins_when_one_has_ended() -> None:
    work = Work()
    async with aclosing(side_by_side(asked("a", "b", "c", "d"), work.answer, 2, PLENTY)) as answers:
        first = asyncio.ensure_future(anext(answers))
        await settle()
        assert work.begun == ["a", "b"]
        work.may_go["b"].set()
        assert await first == "b"
        await settle()
        assert work.begun == ["a", "b", "c"]


async def test_requests_wait_for_a_reader_that_lags() -> None:
    produced: list[int] = []

    async def endless(_: str) -> AsyncGenerator[int]:
        while True:
            produced.append(len(produced))
            yield produced[-1]

    async with aclosing(side_by_side(asked("one"), endless, 1, PLENTY)) as answers:
        assert await anext(answers) == 0
        await settle()
        assert produced == [0, 1, 2]  # one was read, one lies ready, one is to be laid down


async def test_closing_ends_all_that_runs_before_it_returns() -> None:
    work = Work()
    answers = side_by_side(asked("a", "b", "c"), work.answer, 3, PLENTY)
    work.may_go["b"].set()
    assert await anext(answers) == "b"
    assert work.ended == ["b"]
    await answers.aclose()
    assert sorted(work.ended) == ["a", "b", "c"]


async def test_cancelling_the_reader_ends_all_that_runs() -> None:
    work = Work()

    async def read() -> list[str]:
        async with aclosing(side_by_side(asked("a", "b"), work.answer, 2, PLENTY)) as answers:
            return [answer async for answer in answers]

    reader = asyncio.create_task(read())
    await settle()
    assert work.begun == ["a", "b"]
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert sorted(work.ended) == ["a", "b"]


async def test_requests_before_one_that_cannot_be_read_are_answered_first() -> None:
    work = Work()

    async def broken() -> AsyncIterator[str]:
        yield "a"
        raise ValueError("malformed")

    answers = side_by_side(broken(), work.answer, 2, PLENTY)
    first = asyncio.ensure_future(anext(answers))
    await settle()
    assert not first.done()
    work.may_go["a"].set()
    assert await first == "a"
    with pytest.raises(ValueError, match="malformed"):
        await anext(answers)


async def test_an_answer_that_raises_ends_the_others_and_is_raised() -> None:
    work = Work()

    async def answer(name: str) -> AsyncGenerator[str]:
        if name == "bad":
            raise ValueError(name)
        async for each in work.answer(name):
            yield each

    with pytest.raises(ValueError, match="bad"):
        await anext(side_by_side(asked("a", "bad"), answer, 2, PLENTY))
    assert work.ended == work.begun


async def test_a_request_whose_answer_nobody_takes_is_told_at_its_deadline_and_frees_what_it_holds() -> None:
    expired = asyncio.Event()

    async def answer(name: str) -> AsyncGenerator[str]:
        try:
            for piece in ("first", "second", "third"):
                yield piece
        except DeadlineExpired:
            expired.set()
            yield "too late"

    async with aclosing(side_by_side(asked("only"), answer, 1, 0.01)) as answers:
        assert await anext(answers) == "first"
        await expired.wait()  # "second" is ahead of the reader, and "third" found no place
        assert [each async for each in answers] == ["second", "too late"]
