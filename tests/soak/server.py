"""The server under the soak, a process of its own, and what it holds: slots, tasks, threads, descriptors, memory."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ostinato_bench.metrics import Metrics

GAUGES = (
    "ostinato_requests_running",
    "ostinato_requests_waiting",
    "ostinato_requests_parked",
    "ostinato_sessions_open",
    "ostinato_model_versions_draining",
)
"""What is 0 when nobody asks for anything."""

FLAGS = ("--port", "0", "--metrics-port", "0", "--json", "--log-level", "warning", "--model-control", "explicit")
QUIET_SECONDS = 60.0
LOOK_SECONDS = 0.1

OPEN = ("01", "08")
"""States of a connection whose end the server still has: ESTABLISHED and CLOSE_WAIT."""

STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Held:
    """What a server without requests holds.

    Attributes:
        slots: Requests, sessions and versions that it still counts.
        tasks: Tasks of its event loop.
        own_threads: Threads that it started: engines and the metrics' port.
        other_threads: Threads of the pools of asyncio, gRPC and ONNX Runtime.
        descriptors: Open files and sockets.
        resident_mib: Memory, once what is free has been given back.
    """

    slots: int
    tasks: int
    own_threads: int
    other_threads: int
    descriptors: int
    resident_mib: float


@dataclass(slots=True)
class SoakedServer:
    """A running server.

    Attributes:
        target: Where it answers.
        metrics: What it tells of itself.
        process: The process.
        log: What it wrote to standard error.
        counted: Where its census is.
    """

    target: str
    metrics: Metrics
    process: subprocess.Popen[str]
    log: Path
    counted: Path

    def resident_mib(self) -> float:
        """Memory that it has."""
        return self._status("VmRSS:") / 1024

    async def quiet(self) -> None:
        """Waits until nothing is under way and no connection is open.

        Raises:
            TimeoutError: That did not come about.
        """
        await _until(lambda: not (self._connections() or self._slots()))

    async def held(self) -> Held:
        """Counts what the server holds."""
        self.counted.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        await _until(self.counted.exists)
        told = json.loads(self.counted.read_text())
        slots = await asyncio.to_thread(self._slots)
        await _until(lambda: not self._connections())  # that look was a connection too, and the server ends it after it
        return Held(
            slots=slots,
            tasks=len(told["tasks"]),
            own_threads=len(told["threads"]),
            other_threads=self._status("Threads:") - len(told["threads"]),
            descriptors=self._descriptors(),
            resident_mib=self.resident_mib(),
        )

    def objects(self) -> dict[str, int]:
        """Python's objects by type, in the last census."""
        counts: dict[str, int] = json.loads(self.counted.read_text())["objects"]
        return counts

    def faults(self) -> list[str]:
        """Lines of the log that tell of an error nobody foresaw."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if "Traceback" in line or "unexpected error" in line]

    def _slots(self) -> int:
        return int(sum(self.metrics.read(*GAUGES).values()))

    def _connections(self) -> int:
        """Connections that clients have open to its ports."""
        ports = [urlsplit(url).port or 0 for url in (f"//{self.target}", self.metrics.url)]
        ends = tuple(f":{port:04X}" for port in ports)
        tables = [Path(f"/proc/{self.process.pid}/net/{name}").read_text() for name in ("tcp", "tcp6")]
        rows = [line.split() for table in tables for line in table.splitlines()[1:]]
        return sum(row[1].endswith(ends) and row[3] in OPEN for row in rows)

    def _descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def _status(self, field: str) -> int:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split(field)[1].split()[0])


async def _until(met: Callable[[], bool]) -> None:
    """Looks now and then, since the other process does not call back."""
    async with asyncio.timeout(QUIET_SECONDS):
        while not await asyncio.to_thread(met):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)


@contextmanager
def soaked_server(repository: Path, folder: Path, *flags: str) -> Iterator[SoakedServer]:
    """Starts a server and ends it.

    Raises:
        RuntimeError: It does not start, or does not end well.
    """
    log, counted = folder / "log", folder / "census.json"
    command = (sys.executable, "-m", "tests.soak.census", str(counted))
    with log.open("w") as errors:
        process = subprocess.Popen(
            (*command, "serve", "--repository", str(repository), *FLAGS, *flags),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(log.read_text())
        ready = json.loads(line)
        yield SoakedServer(ready["address"], Metrics(ready["metrics"]), process, log, counted)
        process.send_signal(signal.SIGTERM)
        if process.wait(STOP_SECONDS):
            raise RuntimeError(f"the server ended with {process.returncode}: {log.read_text()}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
