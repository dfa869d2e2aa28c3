import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest

from ostinato_bench.peers.http import Connection, HttpFailure

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=y\r\n\r\n\r\n0\r\n\r\n"


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)


async def answer(connection: Connection, parts: Sequence[bytes]) -> list[bytes]:
    pieces: AsyncIterator[bytes] = connection.request(b"POST / HTTP/1.1\r\n", b"{}")
    reading = asyncio.ensure_future(collect(pieces))
    await asyncio.sleep(0)
    for part in parts:
        connection.data_received(part)
    return await reading


async def collect(pieces: AsyncIterator[bytes]) -> list[bytes]:
    return [piece async for piece in pieces]


def connected() -> Connection:
    connection = Connection()
    connection.connection_made(Transport())
    return connection


async def test_a_chunk_is_a_piece_whatever_the_packets() -> None:
    whole = await answer(connected(), [CHUNKED])
    bytewise = await answer(connected(), [bytes([byte]) for byte in CHUNKED])
    assert whole == bytewise == [b"a", b"\r\n"]


async def test_a_body_of_known_length_ends_with_its_last_byte() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"
    assert b"".join(await answer(connected(), [head, b"ab", b"c"])) == b"abc"
    assert await answer(connected(), [head.replace(b"3", b"0")]) == []


async def test_a_connection_takes_one_request_after_another() -> None:
    connection = connected()
    assert await answer(connection, [CHUNKED]) == await answer(connection, [CHUNKED])
    assert connection.reusable


async def test_the_request_tells_the_length_of_its_body() -> None:
    connection = Connection()
    transport = Transport()
    connection.connection_made(transport)
    await answer(connection, [CHUNKED])
    assert transport.written == b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([b"HTTP/1.1 503 Busy\r\n\r\n"], "503"),
        ([CHUNKED.replace(b"1\r\na", b"z\r\na")], "size of a chunk"),
    ],
)
async def test_an_answer_that_is_no_success_fails_the_request(parts: list[bytes], reason: str) -> None:
    connection = connected()
    with pytest.raises(HttpFailure, match=reason):
        await answer(connection, parts)
    assert not connection.reusable


async def test_a_closed_connection_fails_the_request_after_what_came() -> None:
    connection = connected()
    pieces = connection.request(b"", b"")
    reading = asyncio.ensure_future(cast("asyncio.Future[bytes]", anext(pieces)))
    await asyncio.sleep(0)
    connection.data_received(CHUNKED[:54])
    assert await reading == b"a"
    connection.connection_lost(None)
    with pytest.raises(HttpFailure, match="closed"):
        await anext(pieces)
