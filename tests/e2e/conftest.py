"""The real server and the real command, each as a process of its own, on tiny models."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.bundles import build_tiny_repository

OSTINATO = (sys.executable, "-m", "ostinato_client")


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """``ostinato serve`` and where it listens."""

    process: subprocess.Popen[str]
    target: str
    metrics: str


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_repository(tmp_path_factory.mktemp("repository"))


def start_server(repository: Path | str, log: Path, *flags: str) -> ServerProcess:
    command = (
        *OSTINATO,
        "serve",
        "--repository",
        str(repository),
        "--port",
        "0",
        "--metrics-port",
        "0",
        "--json",
        *flags,
    )
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, log.read_text()
    ready = json.loads(line)
    return ServerProcess(process, ready["address"], ready["metrics"])


def stop_server(server: ServerProcess) -> int:
    server.process.send_signal(signal.SIGTERM)
    code = server.process.wait(60)
    assert server.process.stdout is not None
    server.process.stdout.close()
    return code


@pytest.fixture(scope="session")
def server(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = start_server(repository, tmp_path_factory.mktemp("server") / "log")
    yield running
    assert stop_server(running) == 0


@pytest.fixture(scope="session")
def environment(server: ServerProcess) -> dict[str, str]:
    return {**os.environ, "OSTINATO_TARGET": server.target}


@pytest.fixture
def ostinato(environment: dict[str, str]) -> Command:
    """Runs a command to its end."""

    def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (*OSTINATO, *arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
            check=False,
        )

    return run
