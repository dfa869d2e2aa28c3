"""A virtual environment for each peer, made once and kept."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path


class EnvironmentFailure(Exception):
    """An environment cannot be made; says why."""


def prepare(folder: Path, requirements: Path) -> Path:
    """Makes an environment, unless one from the same requirements is there.

    Returns:
        Its Python.

    Raises:
        EnvironmentFailure: A package cannot be installed.
    """
    python, stamp = folder / "bin" / "python", folder / ".requirements"
    wanted = requirements.read_text(encoding="utf-8")
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    if not python.exists():
        venv.create(folder, with_pip=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own file)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
        raise EnvironmentFailure(lines[-1])
    stamp.write_text(wanted, encoding="utf-8")
    return python


def versions(python: Path) -> dict[str, str]:
    """Name and version of every package that an interpreter finds."""
    command = [str(python), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 (our own command)
    return {package["name"]: package["version"] for package in json.loads(listed.stdout)}


def own_python() -> Path:
    """The interpreter that runs this: Ostinato's, and the load's."""
    return Path(sys.executable)
