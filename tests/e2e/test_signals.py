"""Signals to commands and to the server, at every stage of their lives."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import OSTINATO, ServerProcess, start_server

from ostinato_client import Client

RAISING = "import os, signal; os.kill(os.getpid(), signal.{name})"
"""A module that sends its process a signal while it is imported."""


def interruptible(*command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs a command that a signal interrupts even where this process ignores SIGINT."""
    listening = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL)"
    listening += "; os.execv(sys.argv[1], sys.argv[1:])"
    return subprocess.run(
        (OSTINATO[0], "-c", listening, *command),
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **settings},
        check=False,
    )


@contextmanager
def started(*command: str, **settings: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive a test that fails."""
    with subprocess.Popen(command, text=True, **settings) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def serving(repository: Path, log: Path, *flags: str) -> Iterator[ServerProcess]:
    """A server that does not outlive a test that fails."""
    server = start_server(repository, log, *flags)
    with server.process as process:
        try:
            yield server
        finally:
            process.kill()


def wait_for(log: Path, text: str) -> None:
    """Follows a log until it holds a text."""
    with subprocess.Popen(("tail", "-n", "+1", "-f", str(log)), stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        assert any(text in line for line in tail.stdout)
        tail.terminate()


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize(
    ("module", "arguments"),
    [("click", ["--help"]), ("numpy", ["models"]), ("torch", ["train", "char-lm", "--out", "unused"])],
)
def test_a_signal_during_an_import_is_quiet(
    tmp_path: Path, module: str, arguments: list[str], name: str, code: int
) -> None:
    (tmp_path / f"{module}.py").write_text(RAISING.format(name=name), encoding="utf-8")
    done = interruptible(*OSTINATO, *arguments, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_an_interrupt_that_a_module_raises_is_quiet(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt", encoding="utf-8")
    done = interruptible(*OSTINATO, "models", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (130, "")


def serve_script(body: str) -> tuple[str, ...]:
    """The server, after a change to its code."""
    return OSTINATO[0], "-c", f"{body}\nfrom ostinato_client.__main__ import main\nmain()"


LOADS_FOR_EVER = """
import threading
from ostinato_server.repository.loader import Loader
def load(self, path):
    print("loading", flush=True)
    threading.Event().wait()
Loader.load = load
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_server_that_loads_its_models_stops_without_waiting_for_them(
    repository: Path, number: signal.Signals
) -> None:
    command = (*serve_script(LOADS_FOR_EVER), "serve", "--repository", str(repository))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started(*command, "--port", "0", "--metrics-port", "0", **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loading\n"
        process.send_signal(number)
        assert process.wait(30) == 0


def test_connections_are_refused_until_all_models_are_loaded(repository: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        address = reserved.getsockname()
    command = (*serve_script(LOADS_FOR_EVER), "serve", "--repository", str(repository), "--metrics-port", "0")
    with started(*command, "--port", str(address[1]), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loading\n"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_the_first_signal_lets_a_stream_finish(repository: Path, tmp_path: Path, number: signal.Signals) -> None:
    with serving(repository, tmp_path / "log") as server, Client(server.target) as client:
        stream = client.generate("ROMEO:", max_chars=1000, seed=1)
        next(stream)
        server.process.send_signal(number)
        assert stream.summary.generated_tokens == 1000
        assert server.process.wait(30) == 0


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (signal.SIGINT, signal.SIGINT, 130),
        (signal.SIGTERM, signal.SIGTERM, 143),
        (signal.SIGHUP, signal.SIGTERM, 143),
    ],
)
def test_a_second_signal_stops_at_once(
    repository: Path, tmp_path: Path, first: signal.Signals, second: signal.Signals, code: int
) -> None:
    log = tmp_path / "log"
    flags = ("--window", "16", "--grace", "3600")
    with serving(repository, log, *flags) as server, Client(server.target, timeout=60) as client:
        stream = client.generate("ROMEO:", max_chars=10_000, seed=1)  # nobody reads it: it would hold the server up
        next(stream)
        server.process.send_signal(first)
        wait_for(log, "stopping: running requests")
        server.process.send_signal(second)
        assert server.process.wait(30) == code
    assert "at once" in log.read_text(encoding="utf-8")


def test_a_server_under_nohup_goes_on_after_the_terminal_has_gone(repository: Path, tmp_path: Path) -> None:
    ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    log = tmp_path / "log"
    command = (*serve_script(ignoring), "serve", "--repository", str(repository), "--port", "0", "--metrics-port", "0")
    with log.open("w") as errors, started(*command, stderr=errors) as process:
        wait_for(log, "serving ")
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, "a SIGTERM after a SIGHUP that counted would have ended it with 143"


def test_sigterm_ends_a_training_without_a_traceback(tmp_path: Path) -> None:
    command = (*OSTINATO, "train", "char-lm", "--epochs", "1", "--out", str(tmp_path / "run"))
    with started(*command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert "parameters" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait(60) == 143
    assert "Traceback" not in rest


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_load_generator_and_its_processes_is_quiet(
    repository: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    log = tmp_path / "log"
    load = ("bench", "generate", "--concurrency", "2", "--processes", "2", "--duration", "600", "--max-chars", "20")
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with (
        serving(repository, log) as server,
        started(*serve_script(listening), *load, "--target", server.target, start_new_session=True, **pipes) as process,
    ):
        wait_for(log, "Generate OK")
        os.killpg(process.pid, number)  # as a terminal does
        assert process.communicate(timeout=60) == ("", "\n" if number == signal.SIGINT else "")
        assert process.returncode == code
