"""The port for scrapes and probes under clients that are idle, slow, many or wrong."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from http.client import HTTPConnection
from urllib.request import urlopen

import pytest

from ostinato_server import metrics_port
from ostinato_server.metrics_port import MAX_CONNECTIONS, MAX_HEAD_BYTES, MetricsPort, Request, Response

WAIT_SECONDS = 30


def echo(request: Request) -> Response:
    body = f"{request.method} {request.target} {request.headers.get('X-Word', '')}".encode()
    return Response(HTTPStatus.OK, (("Content-Type", "text/plain"),), body)


@pytest.fixture
def port() -> Iterator[int]:
    served = MetricsPort("127.0.0.1", 0, echo)
    yield served.port
    served.close()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), WAIT_SECONDS)


def ask(port: int, content: bytes) -> bytes:
    """What the port answers until it closes the connection."""
    with connect(port) as client:
        client.sendall(content)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def scrape(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/x?y", timeout=WAIT_SECONDS) as response:
        return str(response.read().decode())


def test_request_reaches_the_responder_and_its_answer_the_client(port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)
    connection.request("GET", "/x?y", headers={"x-word": "z"})
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b"GET /x?y z")
    assert (response.headers["Connection"], response.headers["Content-Type"]) == ("close", "text/plain")


def test_answer_to_head_has_the_length_and_no_body(port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)
    connection.request("HEAD", "/x")
    response = connection.getresponse()
    assert (response.headers["Content-Length"], response.read()) == (str(len("HEAD /x ")), b"")


def test_request_with_a_body_is_answered_without_it(port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)
    connection.request("POST", "/x", body=b"b" * 1_000_000)
    assert connection.getresponse().read() == b"POST /x "


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"\r\n\r\n", b"400"),
        (b"GET\r\n\r\n", b"400"),
        (b"GET / SPDY/3\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 2 * MAX_HEAD_BYTES + b"\r\n\r\n", b"431"),
    ],
)
def test_what_is_not_a_request_is_refused_and_the_next_one_answered(port: int, content: bytes, status: bytes) -> None:
    assert ask(port, content).startswith(b"HTTP/1.1 " + status)
    assert scrape(port) == "GET /x?y "


def test_request_that_breaks_off_gets_no_answer(port: int) -> None:
    assert ask(port, b"GET / HTTP/1.1\r\nHost") == b""


def test_five_hundred_idle_connections_take_no_threads_are_bounded_and_let_a_scrape_through(port: int) -> None:
    before = threading.active_count()
    with ExitStack() as held:
        connections = [held.enter_context(connect(port)) for _ in range(500)]
        assert scrape(port) == "GET /x?y "
        assert threading.active_count() == before
        closed = connections[: 500 + 1 - MAX_CONNECTIONS]
        assert [connection.recv(1) for connection in closed] == [b""] * len(closed)


def test_oldest_connection_gives_way_to_one_more_than_there_may_be(port: int) -> None:
    with ExitStack() as held:
        connections = [held.enter_context(connect(port)) for _ in range(MAX_CONNECTIONS + 1)]
        assert connections[0].recv(1) == b""
        connections[1].sendall(b"GET /second HTTP/1.1\r\n\r\n")
        assert b"GET /second" in connections[1].recv(65536)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost", b"GET / HTTP/1.1\r\n\r\n"])
def test_connection_ends_after_its_time_wherever_it_stands(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(metrics_port, "CONNECTION_SECONDS", 0.01)
    served = MetricsPort("127.0.0.1", 0, echo)
    with connect(served.port) as client:
        client.sendall(sent)
        try:
            while client.recv(65536):  # never closes its own side
                pass
        except ConnectionError:
            pass
    served.close()


def test_responder_that_fails_costs_its_connection_alone(caplog: pytest.LogCaptureFixture) -> None:
    def respond(request: Request) -> Response:
        if request.target == "/fail":
            raise RuntimeError("surprise")
        return echo(request)

    served = MetricsPort("127.0.0.1", 0, respond)
    assert ask(served.port, b"GET /fail HTTP/1.1\r\n\r\n") == b""
    assert scrape(served.port) == "GET /x?y "
    served.close()
    (record,) = caplog.records
    assert record.exc_info is not None


def test_close_ends_what_is_open_and_frees_the_port() -> None:
    before = threading.active_count()
    served = MetricsPort("127.0.0.1", 0, echo)
    with connect(served.port) as client:
        scrape(served.port)  # the connection before it has been accepted
        served.close()
        assert client.recv(1) == b""
    assert threading.active_count() == before
    MetricsPort("127.0.0.1", served.port, echo).close()


def test_taken_port_is_an_error() -> None:
    served = MetricsPort("127.0.0.1", 0, echo)
    with pytest.raises(OSError, match="in use"):
        MetricsPort("127.0.0.1", served.port, echo)
    served.close()


def test_name_is_served_on_the_first_of_its_addresses_that_this_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0)) for host in ("192.0.2.1", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    served = MetricsPort("both", 0, echo)
    monkeypatch.undo()
    assert scrape(served.port) == "GET /x?y "
    served.close()
