"""What a repository holds: models by name, versions by number, and what has become of each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Protocol

from ostinato_bundle import BundleError, Fingerprint, fingerprint, survey
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


class Scan(NamedTuple):
    """What a repository holds at one moment.

    Attributes:
        bundles: The folders of each model's versions; an empty shelf for a model of which nothing is listed.
        skipped: Why an entry, ``NAME`` or ``NAME/VERSION``, could not be looked at or is not a model.
    """

    bundles: dict[str, dict[int, Path]]
    skipped: dict[str, str]

    @property
    def keys(self) -> set[Key]:
        """Every bundle."""
        return {(name, version) for name, versions in self.bundles.items() for version in versions}

    def hides(self, name: str, version: int) -> bool:
        """Whether the bundle may be there although it is not listed: its folder, or its model's, shows nothing."""
        return name in self.skipped or f"{name}/{version}" in self.skipped or self.bundles.get(name) == {}


class Repository(Protocol):
    """Where bundles come from; its methods block, and are called on threads, one at a time."""

    def scan(self) -> Scan:
        """Lists every bundle by name and version, and the folder that it is in once it was brought.

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

    def scan(self) -> Scan:
        """Lists every bundle folder by name and version, whether or not what is in it is a bundle.

        Raises:
            NoRepository: The repository is not a folder, or not one that may be read.
        """
        try:
            found = survey(self._folder)
        except BundleError as error:
            raise NoRepository(str(error)) from error
        except OSError as error:
            raise NoRepository(f"{self._folder}: cannot be listed ({error.strerror})") from error
        bundles = {name: {int(path.name): path for path in paths} for name, paths in found.bundles.items()}
        return Scan(bundles, found.skipped)

    def bring(self, name: str, version: int, path: Path) -> Fingerprint:
        """The state of a bundle's files."""
        del name, version
        return fingerprint(path)

    def close(self) -> None:
        """Nothing is ever under way."""
