"""What a session makes of a server that breaks the contract, or breaks off."""

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from tests.unit.client.fake_server import FakeServer

from ostinato.v1 import generation_pb2
from ostinato_client import AsyncClient, Client, InvalidRequest, ServerError


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
