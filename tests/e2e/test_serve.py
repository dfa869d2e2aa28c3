"""``ostinato serve``: one line when ready, an answer to SIGTERM, one line when refused."""

from __future__ import annotations

import subprocess
import urllib.request
from pathlib import Path

import pytest
from tests.e2e.conftest import OSTINATO, Command, ServerProcess, start_server, stop_server

from ostinato_client import Client


def test_the_ready_line_names_a_server_that_serves_and_its_metrics(server: ServerProcess) -> None:
    with Client(server.target) as client:
        client.wait_until_ready(timeout=10)
        assert client.is_ready("ostinato.v1.GenerationService")
    with urllib.request.urlopen(server.metrics, timeout=10) as response:
        assert b"ostinato_generated_tokens_total" in response.read()


def test_sigterm_lets_a_running_stream_finish_and_exits_0(repository: Path, tmp_path: Path) -> None:
    server = start_server(repository, tmp_path / "log")
    with Client(server.target) as client:
        stream = client.generate("ROMEO:", max_chars=1000, seed=1)
        next(stream)
        assert stop_server(server) == 0
        assert stream.summary.generated_tokens == 1000
        assert len(stream.summary.text) >= 1000


def test_a_repository_that_is_not_there_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    command = (*OSTINATO, "serve", "--repository", str(tmp_path / "nowhere"), "--port", "0", "--metrics-port", "0")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert "nowhere" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (
            ("--tls-cert", "nowhere.pem", "--tls-key", "x"),
            "error: nowhere.pem: cannot be read (No such file or directory)",
        ),
        (("--tls-cert", "nowhere.pem"), "error: TLS needs both a certificate and its key"),
        (("--auth-tokens", "nowhere"), "error: nowhere: cannot be read (No such file or directory)"),
    ],
)
def test_files_that_will_not_do_are_one_line_and_exit_code_1(
    repository: Path, flags: tuple[str, ...], line: str
) -> None:
    command = (*OSTINATO, "serve", "--repository", str(repository), "--port", "0", "--metrics-port", "0", *flags)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{line}\n")


def test_a_port_out_of_range_is_wrong_usage(ostinato: Command) -> None:
    done = ostinato("serve", "--port", "70000")
    assert done.returncode == 2
    assert "--port" in done.stderr


@pytest.mark.parametrize("flag", ["--port", "--metrics-port"])
def test_a_taken_port_is_an_error_before_models_load(repository: Path, server: ServerProcess, flag: str) -> None:
    address = server.target
    ports = {"--port": "0", "--metrics-port": "0", flag: address.rpartition(":")[2]}
    command = (*OSTINATO, "serve", "--repository", str(repository), *(part for pair in ports.items() for part in pair))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    reason = f"cannot listen on {address}: Address already in use; choose another {flag}, or 0 for one that is free"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"error: {reason}\n")
