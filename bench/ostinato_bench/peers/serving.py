"""Starts a server in a session of its own, and ends all of it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

GRACE_SECONDS = 8.0


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that the kernel says are free."""
    with contextlib.ExitStack() as sockets:
        taken = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in taken:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in taken]


@contextlib.contextmanager
def running(command: Sequence[str | Path], environment: Mapping[str, str], log: Path) -> Iterator[None]:
    """Runs a server while the body runs.

    Args:
        command: What to start.
        environment: Added to this process's own.
        log: Takes its output.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 (from the catalogue)
            command, env={**os.environ, **environment}, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Asks a server's process group to end, then makes sure of it and of children that left the group."""
    family = descendants(process.pid)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for child, started in family.items():
        if _started(child) == started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
    time.sleep(0.5)  # the kernel gives back memory and ports


def descendants(root: int) -> dict[int, str]:
    """Process ids below one, each with its start time, which tells it from a later process of the same id."""
    parents: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _status(int(entry.name))):
            parents[int(entry.name)] = (int(fields[1]), fields[19])
    found: dict[int, str] = {}
    layer = {root}
    while layer:
        layer = {pid for pid, (parent, _) in parents.items() if parent in layer and pid not in found}
        found |= {pid: parents[pid][1] for pid in layer}
    return found


def _started(pid: int) -> str:
    fields = _status(pid)
    return fields[19] if fields else ""


def _status(pid: int) -> list[str]:
    """The fields of ``/proc/PID/stat`` after the command's name; nothing where the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
