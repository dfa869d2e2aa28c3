"""Calls to this machine never go through a proxy; others do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from tests.unit.client.fake_server import FakeServer

from ostinato_client import AsyncClient, Client, Unavailable
from ostinato_client.channels import channel_options, is_this_machine


@pytest.mark.parametrize(
    "target",
    [
        "localhost:50051",
        "localhost",
        "LocalHost:1",
        "localhost.:1",
        "models.localhost:1",
        "127.0.0.1:50051",
        "127.8.9.10:1",
        "[::1]:50051",
        "::1",
        "[::ffff:127.0.0.1]:1",
        "0.0.0.0:1",
        "[::]:1",
        "dns:localhost:1",
        "dns:///localhost:1",
        "dns://8.8.8.8/localhost:1",
        "ipv4:127.0.0.1:1,127.0.0.1:2",
        "ipv6:[::1]:1",
        "ipv6:%5B::1%5D:1",
        "unix:/run/ostinato.sock",
        "unix:///run/ostinato.sock",
        "unix-abstract:ostinato",
        "ip6-localhost:1",
    ],
)
def test_a_target_on_this_machine_uses_no_proxy(target: str) -> None:
    assert is_this_machine(target)
    assert ("grpc.enable_http_proxy", 0) in channel_options(target, retries=0, keepalive_seconds=None)


@pytest.mark.parametrize(
    "target",
    [
        "models.example:50051",
        "dns:///models.example:1",
        "10.0.0.1:1",
        "localhost.example:1",
        "notlocalhost:1",
        "[2001:db8::1]:1",
        "ipv4:127.0.0.1:1,10.0.0.1:1",
        "xds:///models",
        "dns://127.0.0.1/models.example",
        "",
    ],
)
def test_any_other_target_uses_the_proxy_of_the_environment(target: str) -> None:
    assert not is_this_machine(target)
    assert "grpc.enable_http_proxy" not in dict(channel_options(target, retries=0, keepalive_seconds=None))


VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy", "all_proxy", "GRPC_PROXY", "HTTPS_PROXY", "HTTP_PROXY")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nobody listens, and nobody can while the test runs."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def dead_proxy(monkeypatch: pytest.MonkeyPatch, closed_port: int) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("dead_proxy")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_client_reaches_this_machine_despite_a_proxy(fake: FakeServer, host: str) -> None:
    with Client(fake.target.replace("127.0.0.1", host), timeout=10) as client:
        assert client.classify("good").text == "good"
        client.wait_until_ready(10)


@pytest.mark.usefixtures("dead_proxy")
async def test_an_async_client_reaches_this_machine_despite_a_proxy(fake: FakeServer) -> None:
    async with AsyncClient(fake.target, timeout=10) as client:
        assert (await client.classify("good")).text == "good"


def test_a_client_goes_to_another_machine_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def refuse_all() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                asked.append(connection.recv(4096))
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")

        proxy = threading.Thread(target=refuse_all)
        proxy.start()
        for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy", "grpc_proxy", "https_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{listener.getsockname()[1]}")
        with Client("models.example:50051", timeout=10, retries=0) as client, pytest.raises(Unavailable):
            client.models()
        proxy.join()
    assert asked[0].startswith(b"CONNECT models.example:50051 ")
