"""The plain HTTP port for scrapes and probes: one thread, whatever connects.

A thread of its own answers while the server's event loop is busy. A connection carries one request, ends after a few
seconds, and gives way to newer ones, so that clients that are idle, slow or do not read cost neither threads nor
unbounded memory.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack
from email.utils import formatdate
from http import HTTPStatus
from threading import Thread
from typing import NamedTuple

logger = logging.getLogger(__name__)

CONNECTION_SECONDS = 10.0
"""From accepting a connection to its end; Prometheus gives a scrape ten seconds by default."""

MAX_CONNECTIONS = 128
"""Open connections; the oldest is closed for one more."""

MAX_HEAD_BYTES = 16 * 1024
"""Request line and headers."""

_BACKLOG = 128
_STOP_SECONDS = 5.0


class Request(NamedTuple):
    """A request without its body, which nothing here reads.

    Attributes:
        method: ``GET`` for instance.
        target: Path and query as they came.
        headers: Looked up without regard to case.
    """

    method: str
    target: str
    headers: http.client.HTTPMessage


class Response(NamedTuple):
    """An answer, to which the port adds length and date."""

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...]
    body: bytes


class MetricsPort:
    """Serves HTTP from the moment it is made until `close`.

    Args:
        host: Address to listen on.
        port: Port; 0 lets the kernel choose.
        respond: Answers a request; called on the port's thread.

    Raises:
        OSError: The address cannot be listened on.
    """

    def __init__(self, host: str, port: int, respond: Callable[[Request], Response]) -> None:
        self._respond = respond
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._connections: dict[asyncio.StreamWriter, None] = {}  # the oldest first
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = Thread(target=self._run, name="metrics-port", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Closes the port and its connections."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:  # cancels what is left at its end
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, sock=self._socket, limit=MAX_HEAD_BYTES)
        await self._stopping.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[writer] = None
        if len(self._connections) > MAX_CONNECTIONS:
            oldest = next(iter(self._connections))
            del self._connections[oldest]  # now: its own task may run after more connections have come
            oldest.transport.abort()
        try:
            async with asyncio.timeout(CONNECTION_SECONDS):
                await self._answer(reader, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            pass
        except Exception:
            logger.exception("unexpected error on the metrics port")
        finally:
            writer.transport.abort()
            self._connections.pop(writer, None)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = _parse(await reader.readuntil(b"\r\n\r\n"))
        except asyncio.LimitOverrunError:
            response, method = _refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE), ""
        except ValueError:
            response, method = _refusal(HTTPStatus.BAD_REQUEST), ""
        else:
            response, method = self._respond(request), request.method
        writer.write(_encode(response, with_body=method != "HEAD"))
        writer.write_eof()
        # Closing with bytes unread would reset the connection, and the client might lose the answer.
        while await reader.read(MAX_HEAD_BYTES):
            pass


def _listen(host: str, port: int) -> socket.socket:
    """Listens on the first address of a name that this machine has."""
    failures: list[OSError] = []
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    ):
        try:
            with ExitStack() as undo:
                listening = undo.enter_context(socket.socket(family, kind, protocol))
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind(address)
                listening.listen(_BACKLOG)
                undo.pop_all()
                return listening
        except OSError as error:
            failures.append(error)
    raise failures[0]


def _parse(head: bytes) -> Request:
    """Reads the request line and the headers.

    Raises:
        ValueError: They are not HTTP/1.
    """
    line, _, headers = head.partition(b"\r\n")
    words = line.decode("latin-1").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise ValueError("not a request line of HTTP/1")
    try:
        return Request(words[0], words[1], http.client.parse_headers(io.BytesIO(headers)))
    except http.client.HTTPException as error:
        raise ValueError("not headers of HTTP/1") from error


def _refusal(status: HTTPStatus) -> Response:
    return Response(status, (("Content-Type", "text/plain"),), f"{status.phrase}\n".encode())


def _encode(response: Response, *, with_body: bool) -> bytes:
    headers = (
        *response.headers,
        ("Content-Length", str(len(response.body))),
        ("Date", formatdate(usegmt=True)),
        ("Connection", "close"),
    )
    lines = [
        f"HTTP/1.1 {response.status.value} {response.status.phrase}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (response.body if with_body else b"")
