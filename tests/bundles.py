"""Tiny bundles with random weights, built once for each test process: what a server test serves."""

from __future__ import annotations

import atexit
from functools import cache
from pathlib import Path
from shutil import copytree, rmtree
from tempfile import mkdtemp

from ostinato_bundle.manifest import Task
from ostinato_models.export.untrained import untrained
from ostinato_models.export.writer import Target, write_bundle

NAMES: dict[Task, str] = {"generation": "char-lm", "sentiment": "sentiment", "translation": "translation-en-fr"}


def build_tiny_bundle(path: Path, task: Task, *, name: str | None = None, version: int = 1) -> Path:
    """Put a tiny bundle of a task, with all three artifacts, into the repository ``path``; returns its folder."""
    folder = path / (name or NAMES[task]) / str(version)
    if name is None and version == 1:
        copytree(_built(task), folder)
        return folder
    return write_bundle(untrained(task), Target(path, name or NAMES[task], version))


def build_tiny_version(path: Path, task: Task, version: int) -> Path:
    """Put a version of a tiny model whose weights no other version has, as int8 ONNX alone, into a repository."""
    return write_bundle(untrained(task, seed=version), Target(path, NAMES[task], version, ("onnx-int8",)))


def build_tiny_repository(path: Path) -> Path:
    """Put a tiny bundle of every task into the repository ``path``, under the shipped models' names; returns it."""
    for task in NAMES:
        build_tiny_bundle(path, task)
    return path


@cache
def _built(task: Task) -> Path:
    folder = Path(mkdtemp(prefix="ostinato-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    return write_bundle(untrained(task), Target(folder, NAMES[task]))
