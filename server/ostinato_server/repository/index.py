"""What a repository holds: models by name, versions by number, and what has become of each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Protocol

from ostinato_bundle import BundleError, Fingerprint, discover, fingerprint
from ostinato_server.errors import NoRepository

Key = tuple[str, int]
"""Name and version."""

Shelf = Mapping[int, Path]
"""The folders of one model's bundles, by version."""


class State(Enum):
    """What has become of a bundle."""

    AVAILABLE = "available"
    """The repository has it; it is not loaded."""
    LOADED = "loaded"
    """Requests find it."""
    DRAINING = "draining"
    """Only the requests that have it still do."""
    REFUSED = "refused"
    """It was tried and found wanting."""


class Entry(NamedTuple):
    """A version of a model.

    Attributes:
        name: Name of the model.
        version: Its version.
        state: What has become of it.
        reason: Why its bundle, as it is now, was refused; empty if it was not.
    """

    name: str
    version: int
    state: State
    reason: str


class Repository(Protocol):
    """Where bundles come from; its methods block, and are called on threads, one at a time."""

    def scan(self) -> dict[str, dict[int, Path]]:
        """Every bundle by name and version, and the folder that it is in once it was brought.

        Raises:
            NoRepository: It cannot be read.
        """

    def bring(self, name: str, version: int, path: Path) -> Fingerprint:
        """Sees to it that the folder holds the bundle as it is now; gives the state of its files.

        Raises:
            BundleError: The bundle cannot be had, or is not what its manifest says.
        """

    def close(self) -> None:
        """Gives up what is under way; called from any thread."""


class LocalRepository:
    """A folder; its bundles are used where they lie.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __str__(self) -> str:
        return str(self._folder)

    def scan(self) -> dict[str, dict[int, Path]]:
        """Every bundle folder by name and version, whether or not what is in it is a bundle.

        Raises:
            NoRepository: The repository is no folder, or not one that may be read.
        """
        return scan(self._folder)

    def bring(self, name: str, version: int, path: Path) -> Fingerprint:
        """The state of a bundle's files."""
        del name, version
        return fingerprint(path)

    def close(self) -> None:
        """Nothing is ever under way."""


def scan(repository: Path) -> dict[str, dict[int, Path]]:
    """Every bundle folder by name and version, whether or not what is in it is a bundle.

    Raises:
        NoRepository: The repository is no folder, or not one that may be read.
    """
    found: dict[str, dict[int, Path]] = {}
    try:
        for path in discover(repository):
            found.setdefault(path.parent.name, {})[int(path.name)] = path
    except (BundleError, OSError) as error:
        raise NoRepository(str(error)) from error
    return found
