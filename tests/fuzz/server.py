"""The server that is fuzzed, a process of its own: whether it lives, what it weighs, what it logs."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FAULTS = re.compile(r"Traceback|unexpected error|panicked")
"""What a log may not say, whatever was sent."""

FLAGS = (
    *("--port", "0", "--metrics-port", "0", "--json", "--reflection"),
    *("--model-control", "explicit", "--log-level", "warning", "--max-requests-per-caller", "100000"),
)

STOP_SECONDS = 60.0


@dataclass(slots=True)
class FuzzedServer:
    """``ostinato serve``.

    Attributes:
        target: Where it answers.
        process: The process.
        log: What it wrote to standard error.
    """

    target: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def resident_mib(self) -> float:
        """Memory that it holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def faults(self) -> list[str]:
        """Lines of the log that tell of an error nobody foresaw."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if FAULTS.search(line)]


@contextmanager
def fuzzed_server(repository: Path, log: Path) -> Iterator[FuzzedServer]:
    """Starts a server and ends it.

    Raises:
        RuntimeError: It does not start.
    """
    command = (sys.executable, "-m", "ostinato_client", "serve", "--repository", str(repository), *FLAGS)
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(log.read_text())
        yield FuzzedServer(json.loads(line)["address"], process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        finally:
            process.kill()
            process.stdout.close()
