"""A bare HTTP/1.1 client: one request at a time on a kept connection, each chunk as it comes.

A general client spends more on a chunk than these servers do; then it would be what is measured.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

END = b""


class HttpFailure(ConnectionError):
    """The server answered with an error, or not in HTTP."""


class Connection(asyncio.Protocol):
    """Parses responses with ``Transfer-Encoding: chunked`` or ``Content-Length``."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._pieces: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._in_body = False
        self._left: int | None = None
        self._failure: HttpFailure | None = None
        self.reusable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (asyncio's own promise)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Parses what came and wakes the reader."""
        self._buffer += data
        try:
            while self._parse():
                pass
        except HttpFailure as failure:
            self._fail(failure)
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails the request that is under way."""
        self._fail(HttpFailure("the connection was closed"))
        self._wake()

    async def request(self, head: bytes, body: bytes) -> AsyncIterator[bytes]:
        """Sends a request and yields the pieces of its response's body.

        Raises:
            HttpFailure: The status is not 200, or the connection broke.
        """
        assert self._transport is not None  # noqa: S101 (connected before it is used)
        self._in_body = False
        self._transport.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
        while True:
            while not self._pieces:
                if self._failure is not None:
                    raise self._failure
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
            piece = self._pieces.popleft()
            if not piece:
                return
            yield piece

    def close(self) -> None:
        """Closes the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, failure: HttpFailure) -> None:
        self.reusable = False
        self._failure = self._failure or failure

    def _parse(self) -> bool:
        """Takes one element out of the buffer; False where it is not all there."""
        if not self._in_body:
            return self._parse_head()
        if self._left is not None:
            return self._parse_fixed()
        size, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            return False
        try:
            length = int(size.split(b";")[0], 16)
        except ValueError as error:
            raise HttpFailure(f"{bytes(size[:20])!r} is not the size of a chunk") from error
        if len(rest) < length + 2:
            return False
        self._pieces.append(bytes(rest[:length]) if length else END)
        self._in_body = length > 0
        del self._buffer[: len(size) + 2 + length + 2]
        return bool(self._buffer)

    def _parse_head(self) -> bool:
        head, found, _ = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return False
        del self._buffer[: len(head) + 4]
        status, *lines = bytes(head).lower().split(b"\r\n")
        if status.split()[1:2] != [b"200"]:
            raise HttpFailure(status.decode(errors="replace"))
        fields = dict(line.split(b":", 1) for line in lines if b":" in line)
        length = fields.get(b"content-length")
        self._left = None if length is None else int(length)
        self._in_body = True
        return True

    def _parse_fixed(self) -> bool:
        assert self._left is not None  # noqa: S101 (asked for by the caller)
        piece = bytes(self._buffer[: self._left])
        del self._buffer[: len(piece)]
        self._left -= len(piece)
        if piece:
            self._pieces.append(piece)
        if not self._left:
            self._pieces.append(END)
            self._in_body = False
        return False


class Pool:
    """Connections to one server, made as they are needed and kept.

    Args:
        host: Where the server is.
        port: Its port.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._idle: list[Connection] = []

    async def post(self, path: str, body: bytes) -> AsyncIterator[bytes]:
        """Posts JSON and yields the pieces of the answer.

        Raises:
            HttpFailure: The status is not 200, or the connection broke.
            OSError: There is no connection to be had.
        """
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            "Content-Type: application/json\r\nAccept: */*\r\n"
        ).encode()
        loop = asyncio.get_running_loop()
        connection = (
            self._idle.pop() if self._idle else (await loop.create_connection(Connection, self._host, self._port))[1]
        )
        ended = False
        try:
            async for piece in connection.request(head, body):
                yield piece
            ended = True
        finally:
            if ended and connection.reusable:
                self._idle.append(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Closes every idle connection."""
        for connection in self._idle:
            connection.close()
