"""A server of the bench's own, as a process, from its start to its end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

STOP_SECONDS = 60.0


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


@contextmanager
def served(repository: Path, flags: Sequence[str]) -> Iterator[Served]:
    """Runs ``ostinato serve`` on ports that the kernel chooses; its log goes to standard error.

    Raises:
        click.ClickException: It ends before it is ready.
    """
    command = (sys.executable, "-m", "ostinato_client", "serve", "--repository", str(repository), *flags)
    ports = ("--port", "0", "--metrics-port", "0", "--log-level", "warning", "--json")
    started = time.perf_counter()
    process = subprocess.Popen((*command, *ports), stdout=subprocess.PIPE, text=True)  # noqa: S603 (our own command)
    try:
        assert process.stdout is not None  # noqa: S101 (for the type checker)
        line = process.stdout.readline()
        if not line:
            raise click.ClickException(f"ostinato serve {' '.join(flags)}: ended with {process.wait()}, not ready")
        ready = json.loads(line)
        yield Served(ready["address"], ready["metrics"], time.perf_counter() - started)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
