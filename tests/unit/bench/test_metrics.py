"""Where the bench reads metrics."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter, start_http_server

from ostinato_bench.metrics import Metrics


@pytest.fixture
def url() -> Iterator[str]:
    registry = CollectorRegistry()
    Counter("steps", "Steps.", registry=registry).inc(3)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()
    thread.join()


def test_metrics_on_this_machine_are_read_despite_a_proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        assert Metrics(url).read("steps_total") == {"steps_total": 3.0}
