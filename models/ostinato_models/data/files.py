"""The files that data sets are read from: where they come from and how they are recognised.

A file already in the data folder is used as it is once its sha256 is a known one; otherwise it
is fetched from its canonical address and checked the same way.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pooch

from ostinato_models.errors import DataError, DataHashError, DataMissingError
from ostinato_models.terminal import moves_cursor

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a data set.

    Attributes:
        name: path inside the data folder.
        address: canonical address, or None for a file that only a prepared folder has.
        sha256: known versions.
        renewed: whether the content at the address changes now and then: a version that is not a
            known one is then used with a warning, and its hash recorded, rather than refused.
    """

    name: str
    address: str | None
    sha256: tuple[str, ...]
    renewed: bool = False


@dataclass(frozen=True, slots=True)
class LocatedFile:
    """A file that is on this machine, with the hash it has and whether that is a known one."""

    name: str
    path: Path
    sha256: str
    known: bool


def default_folder() -> Path:
    """The data folder when none is given: ``OSTINATO_DATA``, else the user's cache folder.

    Raises:
        DataError: None is given, and the user has no home folder.
    """
    given = os.environ.get("OSTINATO_DATA")
    if given:
        return Path(given)
    no_home = DataError(f"user {os.getuid()} has no home folder for data sets; pass --data-dir (or OSTINATO_DATA)")
    try:
        folder = Path(pooch.os_cache("ostinato")) / "data"
    except RuntimeError as error:
        raise no_home from error
    if not folder.is_absolute():  # older versions of platformdirs return "~/.cache"
        raise no_home
    return folder


def is_present(file: DataFile, folder: Path) -> bool:
    """Whether the data folder already has this file (not yet checked)."""
    return (folder / file.name).is_file()


def locate(file: DataFile, folder: Path) -> LocatedFile:
    """Find a file in the data folder, or fetch it, and check its hash.

    Raises:
        DataHashError: the file's hash is not a known one, and its address does not renew it.
        DataMissingError: the file is not there and could not be fetched.
    """
    path = folder / file.name
    if not path.is_file():
        _fetch(file, path)
    actual = sha256_of(path)
    known = actual in file.sha256
    if not known and not file.renewed:
        raise DataHashError(path, actual, file.sha256)
    if not known:
        LOGGER.warning("%s is another version than the known ones: sha256 %s", path, actual)
    return LocatedFile(file.name, path, actual, known)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's content, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fetch(file: DataFile, path: Path) -> None:
    if file.address is None:
        raise DataMissingError(file.name, f"not in the data folder ({path})")
    LOGGER.info("fetching %s", file.address)
    try:
        pooch.retrieve(
            file.address,
            known_hash=None,  # checked by the caller, which may accept several versions
            fname=path.name,
            path=path.parent,
            downloader=pooch.HTTPDownloader(progressbar=moves_cursor(sys.stderr), timeout=30),
        )
    except (OSError, ValueError) as error:
        raise DataMissingError(file.name, f"{file.address} could not be fetched: {error}") from None
