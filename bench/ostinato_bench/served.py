"""Servers of the bench's own: processes that are started, killed, drained and always ended."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import click

START_SECONDS = 120.0
STOP_SECONDS = 60.0

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end the bench."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is ready.

    Attributes:
        target: Where it listens.
        metrics: Address of its metrics.
        start_seconds: From its start until it was ready.
    """

    target: str
    metrics: str
    start_seconds: float


class ServerProcess:
    """An ``ostinato serve`` process; its log goes to standard error.

    Args:
        repository: Folder of the model bundles.
        flags: Further flags of ``ostinato serve``.
        port: Port to listen on; 0 lets the kernel choose.
    """

    def __init__(self, repository: Path, flags: Sequence[str] = (), port: int = 0) -> None:
        self._flags = flags
        self._started = time.perf_counter()
        command = (sys.executable, "-m", "ostinato_client", "serve", "--repository", str(repository), *flags)
        ports = ("--port", str(port), "--metrics-port", "0", "--log-level", "warning", "--json")
        # A session of its own, so that Ctrl+C reaches the bench alone, which then ends the server.
        self._process = subprocess.Popen(  # noqa: S603 (our own command)
            (*command, *ports), stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def ready(self) -> Served:
        """Waits until the server is ready.

        Raises:
            click.ClickException: It ends before it is ready, or takes longer than ``START_SECONDS``.
        """
        assert self._process.stdout is not None  # noqa: S101 (for the type checker)
        if not select.select([self._process.stdout], [], [], START_SECONDS)[0]:
            raise click.ClickException(f"ostinato serve {' '.join(self._flags)}: not ready in {START_SECONDS:g} s")
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise click.ClickException(f"ostinato serve {' '.join(self._flags)}: ended with {code}, not ready")
        addresses = json.loads(line)
        return Served(addresses["address"], addresses["metrics"], time.perf_counter() - self._started)

    def kill(self) -> None:
        """Ends the process with SIGKILL."""
        self._process.kill()
        self._process.wait()
        self._close()

    def drain(self) -> None:
        """Sends SIGTERM; the server ends once its calls have ended or its grace period is over."""
        self._process.send_signal(signal.SIGTERM)

    def end(self, seconds: float = STOP_SECONDS) -> None:
        """Ends the process if it runs: SIGTERM, then SIGKILL after ``seconds``."""
        self.drain()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close()

    def _close(self) -> None:
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def deferred_signals() -> Iterator[None]:
    """A scope that ``ENDING`` signals do not interrupt; they are raised again at its end.

    A process that is started inside is noted before a signal ends the bench, and with it the process.
    """
    arrived: list[int] = []
    before = {each: signal.signal(each, lambda number, _: arrived.append(number)) for each in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for each in arrived:
        signal.raise_signal(each)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """A scope in which the first ``ENDING`` signal raises, so that what was started is ended; more are ignored."""

    def leave(number: int, _: object) -> NoReturn:
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def served(repository: Path, flags: Sequence[str]) -> Iterator[Served]:
    """Runs ``ostinato serve`` on ports that the kernel chooses.

    Raises:
        click.ClickException: It ends before it is ready.
    """
    with ended_by_signals(), ExitStack() as ending:
        with deferred_signals():
            server = ServerProcess(repository, flags)
            ending.callback(server.end)
        yield server.ready()
