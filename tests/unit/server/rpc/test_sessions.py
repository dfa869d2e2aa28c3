import asyncio
from collections.abc import AsyncIterator

import pytest

from ostinato_server.errors import Draining, SessionExpired, TooManySessions
from ostinato_server.rpc.sessions import Sessions


async def saying(*messages: str, then_wait: bool = False) -> AsyncIterator[str]:
    for message in messages:
        yield message
    if then_wait:
        await asyncio.Event().wait()


def make(most: int = 10, idle_seconds: float = 60.0) -> tuple[Sessions, list[int]]:
    told: list[int] = []
    return Sessions(most, idle_seconds, told.append), told


async def test_messages_come_in_order_and_nothing_after_the_last() -> None:
    sessions, _ = make()
    messages = saying("a", "b")
    assert [await sessions.next(messages) for _ in range(3)] == ["a", "b", None]


async def test_silence_ends_a_session_with_its_limit() -> None:
    sessions, _ = make(idle_seconds=0.001)
    with pytest.raises(SessionExpired, match=r"nothing came from the client for 0\.001 s"):
        await sessions.next(saying(then_wait=True))


async def test_draining_ends_sessions_that_wait_and_begins_no_other_turn() -> None:
    sessions, _ = make()
    waiting = asyncio.create_task(sessions.next(saying(then_wait=True)))
    await asyncio.sleep(0)
    sessions.drain()
    with pytest.raises(Draining):
        await waiting
    with pytest.raises(Draining):
        await sessions.next(saying("a"))


async def test_stream_that_is_no_session_is_read_to_its_end_however_quiet_it_is() -> None:
    sessions, told = make(idle_seconds=0.0)
    gate = asyncio.Event()

    async def slowly() -> AsyncIterator[str]:
        yield "a"
        await gate.wait()
        yield "b"

    messages = sessions.until_draining(slowly())
    assert await anext(messages) == "a"
    later = asyncio.ensure_future(anext(messages))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not later.done()
    gate.set()
    assert await later == "b"
    assert [each async for each in messages] == []
    assert told == []


async def test_draining_ends_a_quiet_stream_that_is_no_session() -> None:
    sessions, _ = make()
    waiting = asyncio.ensure_future(anext(sessions.until_draining(saying(then_wait=True))))
    await asyncio.sleep(0)
    sessions.drain()
    with pytest.raises(Draining):
        await waiting


async def test_client_that_breaks_off_is_no_message() -> None:
    sessions, _ = make()

    async def broken() -> AsyncIterator[str]:
        raise RuntimeError("gone")
        yield ""

    with pytest.raises(RuntimeError, match="gone"):
        await sessions.next(broken())


def test_sessions_are_counted_and_refused_over_the_limit() -> None:
    sessions, told = make(most=2)
    full = pytest.raises(TooManySessions, match="the server has 2 sessions open, its limit")
    with sessions.opened(), sessions.opened(), full, sessions.opened():
        pass
    with sessions.opened():
        pass
    assert told == [1, 2, 1, 0, 1, 0]
