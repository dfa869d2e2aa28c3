"""``ostinato serve --repository URL``: the command, its cache, and its end while it fetches."""

from __future__ import annotations

import signal
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
import trustme
from tests.e2e.conftest import OSTINATO, start_server, stop_server
from tests.web_store import StoreHandler, WebStore, web_store

from ostinato_client import Client

WAIT_SECONDS = 60


@pytest.fixture
def web(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebStore]:
    """The repository over TLS, with a certificate that the processes of a test trust, and a password."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("OSTINATO_CACHE", str(tmp_path / "cache"))
    with web_store(repository, context) as running:
        running.password = "alice:geheim"
        yield running


def address_of(web: WebStore) -> str:
    return web.url.replace("://", "://alice:geheim@")


def test_models_come_over_tls_and_a_second_start_uses_the_copies(web: WebStore, tmp_path: Path) -> None:
    for start in range(2):
        web.asked.clear()
        server = start_server(address_of(web), tmp_path / f"log{start}")
        with Client(server.target) as client:
            assert {model.name for model in client.models()} == {"char-lm", "sentiment", "translation-en-fr"}
            assert client.generate("The", max_chars=5, seed=1).summary.generated_tokens == 5
        assert stop_server(server) == 0
        assert bool(web.files) == (start == 0)
        log = (tmp_path / f"log{start}").read_text()
        assert web.url in log
        assert "geheim" not in log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_server_that_still_fetches(web: WebStore, tmp_path: Path, number: signal.Signals) -> None:
    reached, end = Event(), Event()

    def slowly(handler: StoreHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        reached.set()
        while not end.wait(0.01):
            handler.wfile.write(b" ")

    web.special["/char-lm/1/weights.safetensors"] = slowly
    command = (*OSTINATO, "serve", "--repository", address_of(web), "--port", "0", "--metrics-port", "0", "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert reached.wait(WAIT_SECONDS)
        process.send_signal(number)
        output, log = process.communicate(timeout=WAIT_SECONDS)
        end.set()
    assert (process.returncode, output) == (0, "")
    assert "Traceback" not in log
    left = [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.name != "lock"]
    assert left == []


def test_store_that_cannot_be_reached_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    command = (
        *OSTINATO,
        "serve",
        "--repository",
        "http://alice:geheim@127.0.0.1:1/models",
        "--cache-dir",
        str(tmp_path),
    )
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: the repository cannot be read: http://127.0.0.1:1/models: ")
    assert "geheim" not in done.stderr
    assert done.stderr.count("\n") == 1
