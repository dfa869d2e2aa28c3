"""A container engine and its compose, by their command lines: Docker, or Podman behind the same commands."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.deployed import ROOT

COMMAND_SECONDS = 300.0
PROBE_SECONDS = 20.0
PROJECT = "ostinato-stack-check"
FILES = ("docker-compose.yml", "docker-compose.browser.yml")


class NoEngine(Exception):
    """Why no containers can be run here."""


@dataclass(frozen=True)
class Stack:
    """The deployed compose project under a name of its own, on ports of the kernel's.

    Attributes:
        docker: The engine's command.
        compose: Its compose command.
        services: What is started.
        ports: Port on loopback, by the variable that compose reads it from.
    """

    docker: tuple[str, ...]
    compose: tuple[str, ...]
    services: tuple[str, ...]
    ports: Mapping[str, int] = field(default_factory=dict)

    def engine(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command of the engine."""
        return _run((*self.docker, *arguments), os.environ, check)

    def project(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command of compose."""
        files = [word for file in FILES for word in ("-f", file)]
        environment = os.environ | {name: str(port) for name, port in self.ports.items()}
        return _run((*self.compose, "-p", PROJECT, *files, *arguments), environment, check)

    def container(self, service: str) -> str:
        """The id of a service's container."""
        return self.project("ps", "-q", service).stdout.strip()

    def within(self, service: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command in a service's container."""
        return self.engine("exec", self.container(service), *command, check=check)

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine knows of a service's container."""
        found: list[dict[str, Any]] = json.loads(self.engine("inspect", self.container(service)).stdout)
        return found[0]

    def state(self, service: str) -> dict[str, Any]:
        """Whether and since when a service's container runs."""
        state: dict[str, Any] = self.inspect(service)["State"]
        return state

    def up(self) -> None:
        """Starts the services, those that wait for the server's health when it has it; the trainer is run, not kept."""
        with self._health_checked("server"):
            self.project("up", "-d", "--no-build", *(name for name in self.services if name != "trainer"))

    def down(self) -> None:
        """Takes containers, networks and volumes away."""
        self.project("down", "-v", "-t", "5", check=False)

    @contextmanager
    def _health_checked(self, service: str) -> Iterator[None]:
        """Podman has systemd time its health checks; where there is no systemd, this does."""
        if "Podman" not in self.engine("version").stdout or shutil.which("podman") is None:
            yield
            return
        done = threading.Event()

        def check() -> None:
            while not done.wait(1):
                container = self.project("ps", "-q", service, check=False).stdout.strip()
                if container:
                    _run(("podman", "healthcheck", "run", container), os.environ, check=False)

        checking = threading.Thread(target=check)
        checking.start()
        try:
            yield
        finally:
            done.set()
            checking.join(PROBE_SECONDS)


def find_stack() -> Stack:
    """The stack on this machine's engine: ``DOCKER`` and ``COMPOSE`` name the commands, ``STACK`` the services.

    Raises:
        NoEngine: There is none, or it does not answer.
    """
    docker = tuple(shlex.split(os.environ.get("DOCKER") or "docker"))
    if shutil.which(docker[0]) is None:
        raise NoEngine(f"there is no {docker[0]} here")
    answered = _run((*docker, "version"), os.environ, check=False, seconds=PROBE_SECONDS)
    if answered.returncode != 0:
        raise NoEngine(f"{docker[0]} reaches no engine: {(answered.stderr.strip() or 'no answer').splitlines()[-1]}")
    services = tuple((os.environ.get("STACK") or "server prometheus grafana envoy trainer").split())
    names = ("OSTINATO_PORT", "OSTINATO_METRICS_PORT", "OSTINATO_PROMETHEUS_PORT", "OSTINATO_GRAFANA_PORT",
             "OSTINATO_BROWSER_PORT")  # fmt: skip
    return Stack(docker, _compose(docker), services, dict(zip(names, _free_ports(len(names)), strict=True)))


def _compose(docker: tuple[str, ...]) -> tuple[str, ...]:
    if os.environ.get("COMPOSE"):
        return tuple(shlex.split(os.environ["COMPOSE"]))
    if _run((*docker, "compose", "version"), os.environ, check=False, seconds=PROBE_SECONDS).returncode == 0:
        return (*docker, "compose")
    if shutil.which("docker-compose") is not None:
        return ("docker-compose",)
    raise NoEngine(f"there is neither '{docker[0]} compose' nor docker-compose here; COMPOSE names another")


def _free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def _run(
    command: Sequence[str], environment: Mapping[str, str], check: bool, seconds: float = COMMAND_SECONDS
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert not check or done.returncode == 0, f"{shlex.join(command)}: {done.stdout}{done.stderr}"
    return done
