"""A remote repository behind the proxy that the environment names."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import pytest
from tests.hollow import write
from tests.unit.server.repository.side import Side
from tests.web_store import WebStore

from ostinato_bundle import open_bundle
from ostinato_server.repository.remote_url import RemoteUrl

HOST = "models.example"
"""A name that only the proxy can resolve."""


class Proxy(ThreadingHTTPServer):
    """Forwards requests for ``HOST`` to a store on loopback.

    Attributes:
        asked: Every address that was asked for.
    """

    daemon_threads = True

    def __init__(self, store: str) -> None:
        self.asked: list[str] = []
        self.store = store
        super().__init__(("127.0.0.1", 0), ProxyRequest)


class ProxyRequest(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._forward()

    def do_HEAD(self) -> None:
        self._forward()

    def _forward(self) -> None:
        assert isinstance(self.server, Proxy)
        self.server.asked.append(self.path)
        wanted = urlsplit(self.path)
        try:
            with build_opener(ProxyHandler({})).open(f"{self.server.store}{wanted.path}", timeout=10) as answer:
                status, content = answer.status, answer.read()
        except OSError as error:
            status, content = getattr(error, "code", 502), b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def proxying(store: str) -> Iterator[Proxy]:
    with Proxy(store) as proxy:
        serving = Thread(target=proxy.serve_forever)
        serving.start()
        yield proxy
        proxy.shutdown()
        serving.join()


@pytest.fixture(autouse=True)
def no_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_bundles_come_through_the_proxy(
    store: WebStore, bundles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(bundles / "m" / "2", version=2)
    with proxying(store.url) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
        side = Side(f"http://{HOST}", tmp_path / "cache")
        assert sorted(side.repository.scan().bundles["m"]) == [1, 2]
        assert open_bundle(side.bring("m", 2)).manifest.version == 2
    assert f"http://{HOST}/m/2/manifest.json" in proxy.asked


def test_store_on_this_machine_is_never_behind_a_proxy(
    store: WebStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        assert "m" in Side(store.url, tmp_path / "cache").repository.scan().bundles


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:8000/models", True),
        ("http://user:secret@localhost/models", True),
        ("https://[::1]:8443/models", True),
        ("http://store.localhost", True),
        ("http://localhost.example/models", False),
        ("https://models.example", False),
        ("http://10.0.0.1", False),
    ],
)
def test_this_machine_is_known_by_its_address(address: str, here: bool) -> None:
    url = RemoteUrl.parse(address)
    assert url is not None
    assert url.on_this_machine is here
