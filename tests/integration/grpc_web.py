"""gRPC-Web as a page speaks it: POST, and messages in frames; knows no gRPC."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse

_PREFIX = struct.Struct(">BI")
_TRAILERS = 0x80

BINARY = "application/grpc-web+proto"
TEXT = "application/grpc-web-text"

CALL_SECONDS = 60.0


@contextmanager
def posted(
    address: str, path: str, body: bytes, kind: str, headers: dict[str, str] | None = None
) -> Iterator[HTTPResponse]:
    """The answer to a POST, read while it comes."""
    connection = HTTPConnection(address, timeout=CALL_SECONDS)
    try:
        connection.request("POST", path, body, {"content-type": kind, **(headers or {})})
        yield connection.getresponse()
    finally:
        connection.close()


@dataclass(frozen=True)
class Answered:
    """A whole answer.

    Attributes:
        messages: Its messages, serialized.
        trailers: The status and what comes with it.
    """

    messages: list[bytes]
    trailers: dict[str, str]


def call(
    address: str, path: str, message: bytes, kind: str = BINARY, headers: dict[str, str] | None = None
) -> Answered:
    """Calls a method and reads its answer to the end."""
    framed = _PREFIX.pack(0, len(message)) + message
    body = base64.b64encode(framed) if kind == TEXT else framed
    with posted(address, path, body, kind, {"accept": kind, "x-grpc-web": "1", **(headers or {})}) as response:
        assert response.status == 200, response.read()
        content = response.read()
        trailers = {name.lower(): value for name, value in response.getheaders()}
    messages = []
    for flags, payload in _frames(_decoded(content) if kind == TEXT else content):
        if flags & _TRAILERS:
            fields = [line.partition(":") for line in payload.decode().split("\r\n") if line]
            trailers |= {name.strip().lower(): value.strip() for name, _, value in fields}
        else:
            messages.append(payload)
    return Answered(messages, trailers)


def _frames(content: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(content):
        flags, length = _PREFIX.unpack_from(content, place)
        place += _PREFIX.size
        assert place + length <= len(content), "a frame must be whole"
        yield flags, content[place : place + length]
        place += length


def _decoded(content: bytes) -> bytes:
    """Base64 that was padded wherever the proxy flushed it."""
    decoded = b""
    for start in range(0, len(content), 4):
        decoded += base64.b64decode(content[start : start + 4])
    return decoded
