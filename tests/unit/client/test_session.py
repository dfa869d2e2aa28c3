"""What a session makes of a server that breaks the contract, or breaks off."""

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from tests.unit.client.fake_server import FakeServer, bad_request, generated, refuse, retry_after

from ostinato.v1 import generation_pb2
from ostinato_client import (
    AsyncClient,
    Cancelled,
    Client,
    DeadlineExceeded,
    InvalidRequest,
    ServerError,
    Unavailable,
    retries,
)


def test_turn_that_ends_without_a_summary_is_the_servers_fault(client: Client, fake: FakeServer) -> None:
    with client.session() as session, pytest.raises(ServerError, match="without a summary"):
        session.send("a").text()
    fake.generate_session = lambda _, __: iter(
        [generation_pb2.GenerateSessionResponse(chunk=generation_pb2.GeneratedChunk(text="a", token_count=1))]
    )
    with client.session() as session, pytest.raises(ServerError, match="without a summary"):
        session.send("a").text()


async def test_turn_that_ends_without_a_summary_is_the_servers_fault_awaited(async_client: AsyncClient) -> None:
    async with async_client.session() as session:
        with pytest.raises(ServerError, match="without a summary"):
            await session.send("a").text()


def test_session_that_is_closed_closes_the_clients_side(client: Client, fake: FakeServer) -> None:
    came: list[str] = []
    closed = threading.Event()

    def answer(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        for request in requests:
            came.append(request.WhichOneof("payload"))
            if request.HasField("turn"):
                yield generation_pb2.GenerateSessionResponse(summary=generation_pb2.GenerationSummary())
        closed.set()

    fake.generate_session = answer
    with client.session() as session:
        assert [session.send(text).text() for text in ("a", "b")] == ["", ""]
    assert closed.wait(10)
    assert came == ["start", "turn", "turn"]


def test_what_a_message_cannot_hold_is_refused_before_it_is_sent(client: Client) -> None:
    with pytest.raises(InvalidRequest, match=r"start\.top_alternatives: must be from 0"):
        client.session(top_alternatives=-1)
    with client.session() as session:
        with pytest.raises(InvalidRequest, match=r"turn\.sampling\.seed: must be from 0"):
            session.send("a", seed=-1)
        with pytest.raises(InvalidRequest, match=r"turn\.text: must be Unicode"):
            session.send("\ud800")


def rejecting(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
    """Answers turns until one is to be rejected."""
    for request in requests:
        if request.turn.text == "bad":
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "rejected", bad_request("turn.text", "is bad"))
        if request.HasField("turn"):
            yield generation_pb2.GenerateSessionResponse(summary=generation_pb2.GenerationSummary())


def test_send_raises_again_what_the_turn_before_was_rejected_with(client: Client, fake: FakeServer) -> None:
    fake.generate_session = rejecting
    with client.session() as session:
        session.send("good").text()
        with pytest.raises(InvalidRequest, match="rejected"):
            session.send("bad").text()
        for _ in range(2):
            with pytest.raises(InvalidRequest, match="rejected") as caught:
                session.send("good")
            assert caught.value.violations[0].field == "turn.text"


async def test_send_raises_again_what_the_turn_before_was_rejected_with_awaited(
    async_client: AsyncClient, fake: FakeServer
) -> None:
    fake.generate_session = rejecting
    async with async_client.session() as session:
        await session.send("good").text()
        with pytest.raises(InvalidRequest, match="rejected"):
            await session.send("bad").text()
        for _ in range(2):
            with pytest.raises(InvalidRequest, match="rejected") as caught:
                session.send("good")
            assert caught.value.violations[0].field == "turn.text"


def failing(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
    """Fails in the middle of a turn."""
    for request in requests:
        if request.HasField("turn"):
            yield generation_pb2.GenerateSessionResponse(chunk=generation_pb2.GeneratedChunk(text="a", token_count=1))
            refuse(context, grpc.StatusCode.INTERNAL, "the runtime failed", retry_after(1))


def test_send_raises_again_what_the_turn_before_failed_with(client: Client, fake: FakeServer) -> None:
    fake.generate_session = failing
    with client.session() as session:
        turn = session.send("a")
        assert next(turn).text == "a"
        with pytest.raises(ServerError, match="the runtime failed"):
            next(turn)
        with pytest.raises(ServerError, match="the runtime failed"):
            session.send("b")


async def test_send_raises_again_what_the_turn_before_failed_with_awaited(
    async_client: AsyncClient, fake: FakeServer
) -> None:
    fake.generate_session = failing
    async with async_client.session() as session:
        turn = session.send("a")
        assert (await anext(turn)).text == "a"
        with pytest.raises(ServerError, match="the runtime failed"):
            await anext(turn)
        with pytest.raises(ServerError, match="the runtime failed"):
            session.send("b")


def test_turn_that_is_not_read_to_its_end_still_blocks_the_next(client: Client, fake: FakeServer) -> None:
    fake.generate_session = failing
    with client.session() as session:
        next(session.send("a"))
        with pytest.raises(RuntimeError, match="turn before"):
            session.send("b")


def test_turn_that_is_cancelled_ends_the_session(client: Client, fake: FakeServer) -> None:
    fake.generate_session = failing
    with client.session() as session:
        session.send("a").cancel()
        with pytest.raises(Cancelled):
            session.send("b")


async def test_turn_that_is_cancelled_ends_the_session_awaited(async_client: AsyncClient, fake: FakeServer) -> None:
    fake.generate_session = failing
    async with async_client.session() as session:
        session.send("a").cancel()
        with pytest.raises(Cancelled):
            session.send("b")


def test_turn_of_a_session_that_the_server_ended_raises_its_status(client: Client, fake: FakeServer) -> None:
    ended = threading.Event()

    def expires(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        yield from itertools.islice(rejecting(requests, context), 1)
        context.add_callback(ended.set)
        refuse(context, grpc.StatusCode.DEADLINE_EXCEEDED, "session expired", retry_after(1))

    fake.generate_session = expires
    with client.session() as session:
        session.send("a").text()
        ended.wait(10)
        with pytest.raises(DeadlineExceeded, match="session expired"):
            session.send("b").text()
        with pytest.raises(DeadlineExceeded, match="session expired"):
            session.send("c")


async def test_turn_of_a_session_that_the_server_ended_raises_its_status_awaited(
    async_client: AsyncClient, fake: FakeServer
) -> None:
    def expires(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        yield from itertools.islice(rejecting(requests, context), 1)
        refuse(context, grpc.StatusCode.DEADLINE_EXCEEDED, "session expired", retry_after(1))

    fake.generate_session = expires
    async with async_client.session() as session:
        await session.send("a").text()
        await session._call.code()
        with pytest.raises(DeadlineExceeded, match="session expired"):
            await session.send("b").text()
        with pytest.raises(DeadlineExceeded, match="session expired"):
            session.send("c")


def test_closed_session_takes_no_turn(client: Client) -> None:
    session = client.session()
    session.close()
    with pytest.raises(Cancelled, match="the session is closed"):
        session.send("a")


async def test_closed_session_takes_no_turn_awaited(async_client: AsyncClient) -> None:
    session = async_client.session()
    await session.close()
    with pytest.raises(Cancelled, match="the session is closed"):
        session.send("a")


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.001)


class BreakingSession:
    """Answers a turn with the letters of its text in capitals; breaks after so many letters of each call.

    Args:
        each: Letters before a call breaks.
    """

    def __init__(self, each: int) -> None:
        self.each = each
        self.calls: list[list[Any]] = []

    def __call__(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        came: list[Any] = []
        self.calls.append(came)
        left = self.each
        for request in requests:
            came.append(request)
            if not request.HasField("turn"):
                continue
            letters = request.turn.text.upper()
            for position in range(len(request.turn.resumption.token_ids), len(letters)):
                if not left:
                    refuse(context, grpc.StatusCode.UNAVAILABLE, "gone")
                left -= 1
                chunk = generated(letters[position], position).chunk
                chunk.origin.version, chunk.origin.seed = 3, 11
                yield generation_pb2.GenerateSessionResponse(chunk=chunk)
            summary = generation_pb2.GenerationSummary(version=3, withheld_token_ids=[77], withheld_text="!")
            yield generation_pb2.GenerateSessionResponse(summary=summary)


def begun_with(call: list[Any]) -> tuple[list[tuple[str, list[int]]], str, list[int] | None]:
    start, turn = call[0].start, call[1].turn
    assert start.HasField("version") == turn.HasField("resumption") == turn.sampling.HasField("seed")
    past = [(each.text, list(each.token_ids)) for each in start.past]
    return past, turn.text, list(turn.resumption.token_ids) if turn.HasField("resumption") else None


def test_turn_that_breaks_is_resumed_after_the_turns_before_it(
    client: Client, fake: FakeServer, short_pauses: None
) -> None:
    server = fake.generate_session = BreakingSession(3)
    with client.session() as session:
        first = session.send("abcd")
        assert (first.text(), first.resumptions) == ("ABCD", 1)
        second = session.send("ef")
        assert (second.text(), second.resumptions) == ("EF", 0)
        third = session.send("gh")
        assert (third.text(), third.resumptions) == ("GH", 1)
    assert [begun_with(call) for call in server.calls[:2]] == [([], "abcd", None), ([], "abcd", [0, 1, 2])]
    assert server.calls[1][2].turn.text == "ef"
    past, text, received = begun_with_nothing_of_the_turn(server.calls[2])
    assert past == [("abcd", [0, 1, 2, 3, 77]), ("ef", [0, 1, 77])]
    assert (text, received) == ("gh", False)


def begun_with_nothing_of_the_turn(call: list[Any]) -> tuple[list[tuple[str, list[int]]], str, bool]:
    assert call[0].start.version == 3
    past = [(each.text, list(each.token_ids)) for each in call[0].start.past]
    return past, call[1].turn.text, call[1].turn.HasField("resumption")


async def test_turn_that_breaks_is_resumed_after_the_turns_before_it_awaited(
    async_client: AsyncClient, fake: FakeServer, short_pauses: None
) -> None:
    server = fake.generate_session = BreakingSession(3)
    async with async_client.session() as session:
        texts = [await session.send(text).text() for text in ("abcd", "ef", "gh")]
    assert texts == ["ABCD", "EF", "GH"]
    assert [begun_with(call) for call in server.calls[:2]] == [([], "abcd", None), ([], "abcd", [0, 1, 2])]
    past, text, received = begun_with_nothing_of_the_turn(server.calls[2])
    assert past == [("abcd", [0, 1, 2, 3, 77]), ("ef", [0, 1, 77])]
    assert (text, received) == ("gh", False)


def test_session_that_opted_out_is_left_broken(client: Client, fake: FakeServer) -> None:
    fake.generate_session = BreakingSession(3)
    with client.session(resume=False) as session:
        turn = session.send("abcd")
        with pytest.raises(Unavailable, match="gone"):
            turn.text()
        with pytest.raises(Unavailable, match="gone"):
            session.send("ef")
