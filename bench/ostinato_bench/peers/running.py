"""One server, from its start to its end, under the whole load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ostinato_bench.peers.catalog import Server
from ostinato_bench.peers.environment import prepare, versions
from ostinato_bench.peers.serving import free_ports, running

LIMIT_SECONDS = 300.0
SLOTS = 64
"""Streams in a peer's batch."""
TEXTS = 32
"""Texts in a peer's batch: half of the calls in flight, so that one half is answered while the other is scored."""


class RunFailure(Exception):
    """A server could not be measured; says why."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What all runs share.

    Attributes:
        peers: The folder with a folder for each peer.
        cache: The folder of their environments.
        repository: The derived bundles.
        seconds: Length of the longest run of a load.
    """

    peers: Path
    cache: Path
    repository: Path
    seconds: float

    def python(self, server: Server) -> Path:
        """The interpreter of a server, its environment made where there is none."""
        if server.runtime:
            return Path(sys.executable)
        return prepare(self.cache / server.name, self.peers / server.name / "requirements.txt")

    def measure(self, server: Server) -> dict[str, Any]:
        """Starts a server, puts the load on it and ends it.

        Raises:
            RunFailure: It did not start or did not answer.
            EnvironmentFailure: Its environment cannot be made.
        """
        python = self.python(server)
        ports = free_ports(5)
        log = self.cache / f"{server.name}.log"
        with tempfile.TemporaryDirectory(prefix=f"{server.name}-") as scratch:
            environment = self._environment(python, ports, scratch, server.threads)
            with running(self._command(server, python, ports[0]), environment, log):
                return self._drive(server, f"127.0.0.1:{ports[0]}", log)

    def versions(self, server: Server) -> dict[str, str]:
        """Every package of a server's environment."""
        return versions(self.python(server))

    def _command(self, server: Server, python: Path, port: int) -> list[str | Path]:
        if not server.runtime:
            return [self.peers / server.name / "start"]
        options = {
            "--host": "127.0.0.1",
            "--port": str(port),
            "--metrics-port": "0",
            "--log-level": "warning",
            "--repository": str(self.repository),
            "--runtime": server.runtime,
            "--threads": str(server.threads),
        }
        return [python, "-m", "ostinato_client", "serve", *(word for pair in options.items() for word in pair)]

    def _environment(self, python: Path, ports: list[int], scratch: str, threads: int) -> dict[str, str]:
        paths = [str(self.peers), str(self.peers.parent.parent / "proto"), os.environ.get("PYTHONPATH", "")]
        return {
            "PEER_PYTHON": str(python.absolute()),
            "PEER_PORT": str(ports[0]),
            "PEER_PORTS": " ".join(map(str, ports)),
            "PEER_REPOSITORY": str(self.repository.resolve()),
            "PEER_SCRATCH": scratch,
            "PEER_SLOTS": str(SLOTS),
            "PEER_TEXTS": str(TEXTS),
            "PEER_THREADS": str(threads),
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        }

    def _drive(self, server: Server, target: str, log: Path) -> dict[str, Any]:
        command = [sys.executable, "-m", "ostinato_bench.peers.drive"]
        command += ["--kind", server.kind, "--target", target, "--seconds", str(self.seconds)]
        try:
            done = subprocess.run(  # noqa: S603 (our own module)
                command, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise RunFailure(f"the load took longer than {LIMIT_SECONDS:g} s") from error
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["the load ended without a word"]
            raise RunFailure(f"{lines[-1]} (its output: {log.name})")
        found: dict[str, Any] = json.loads(done.stdout)
        return found
