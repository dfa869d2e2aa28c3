"""A remote repository, of which this machine keeps a copy of what it serves: fetched, verified, then put in place."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage, rmtree
from tempfile import mkdtemp
from typing import NamedTuple

from ostinato_bundle import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    MODEL_NAME,
    VERSION,
    BundleError,
    Fingerprint,
    Manifest,
    discover,
    fingerprint,
    open_bundle,
    read_manifest,
)
from ostinato_server.errors import NoRepository, StartupError
from ostinato_server.repository.index import Scan
from ostinato_server.repository.remote_files import NotThere, RemoteFiles, TooLong, Unreachable
from ostinato_server.repository.remote_url import RemoteUrl

logger = logging.getLogger(__name__)

FETCH_SECONDS = 3600.0
"""The longest that fetching a bundle may take: one that trickles must not keep all others from coming."""

RETRY_SECONDS = 300.0
"""After so long a bundle that was refused is fetched again, though nothing of it seems to have changed."""

FETCHING = ".fetching"
"""Folder of what is not complete, beside the models, whose names never begin like that."""

_LOCK_SECONDS = 0.2
"""Between two tries for the folder, while another server has it."""


class _Refusal(NamedTuple):
    """Why a bundle was refused, what it looked like, and until when that is believed without another look."""

    seen: object
    until: float
    error: BundleError


class RemoteRepository:
    """Bundles below an address.

    A version's folder in the cache is whole or not there: its files are written to a folder aside, each as long as the
    manifest says at most, then compared with the manifest, then the folder is renamed. A copy whose manifest is the
    remote one's is used as it is. What the remote side does not have any more leaves the cache.

    Args:
        url: The address.
        cache: Folder for the copies of this and other repositories.
        clock: Seconds, monotonic.

    Raises:
        StartupError: The cache cannot be written, or a library is missing.
    """

    def __init__(self, url: RemoteUrl, cache: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._files = RemoteFiles(url)
        self._folder = cache / hashlib.sha256(str(url).encode()).hexdigest()[:16]
        self._closed = threading.Event()
        self._intact: dict[Path, Fingerprint] = {}
        self._refused: dict[Path, _Refusal] = {}
        try:
            (self._folder / FETCHING).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StartupError(f"the cache {self._folder} cannot be written: {error.strerror}") from error

    def __str__(self) -> str:
        return str(self._url)

    def scan(self) -> Scan:
        """Lists every version that the remote side has, and where its copy is or will be; other names are passed over.

        Raises:
            NoRepository: It cannot be listed.
        """
        try:
            listed, unreadable = self._files.versions()
        except Unreachable as error:
            raise NoRepository(f"{self._url}: {error}") from None
        found = Scan({}, unreadable)
        for name, versions in listed.items():
            if MODEL_NAME.fullmatch(name):
                numbers = sorted(int(version) for version in versions if VERSION.fullmatch(version))
                found.bundles[name] = {number: self._folder / name / str(number) for number in numbers}
        if found.keys:  # a store that lists nothing may be a wrong or a broken one
            self._forget(found)
        return found

    def bring(self, name: str, version: int, path: Path) -> Fingerprint:
        """Makes the copy the remote side's bundle as it is now.

        A bundle that was found wanting is fetched again when its manifest or a file of it seems another one, or after
        a while: not every store tells.

        Raises:
            BundleError: It cannot be fetched, or is not what its manifest says; a copy that is there stays.
        """
        remote = f"{name}/{version}"
        try:
            with self._told(remote):
                content = self._files.read(f"{remote}/{MANIFEST}", MAX_MANIFEST_BYTES)
                if not self._holds(path, content):
                    with self._aside() as folder:
                        self._replace(remote, content, path, folder)
        except OSError as error:
            raise BundleError(Path(remote), f"cannot be put into the cache: {error.strerror}") from error
        return self._intact[path]

    def close(self) -> None:
        """Gives up what is being fetched."""
        self._closed.set()

    def _holds(self, path: Path, manifest: bytes) -> bool:
        """Whether the copy is there, is whole and has this manifest; looked at closely once after it has changed."""
        files = fingerprint(path)
        if not files or (path / MANIFEST).read_bytes() != manifest:
            return False
        if self._intact.get(path) != files:
            try:
                open_bundle(path)
            except BundleError:
                return False
            self._intact[path] = files
        return True

    def _replace(self, remote: str, content: bytes, path: Path, folder: Path) -> None:
        if self._holds(path, content):  # another server with this cache was faster
            return
        new = folder / "new"
        new.mkdir()
        (new / MANIFEST).write_bytes(content)
        with _seen_as(remote, new):
            manifest = read_manifest(new / MANIFEST)
        seen = content, {file: self._files.facts(f"{remote}/{file}") for file in manifest.files}
        known = self._refused.get(path)
        if known is not None and known.seen == seen and self._clock() < known.until:
            raise BundleError(known.error.path, known.error.reason)
        self._fetch(remote, manifest, new)
        try:
            with _seen_as(remote, new):
                open_bundle(new)
        except BundleError as error:
            self._refused[path] = _Refusal(seen, self._clock() + RETRY_SECONDS, error)
            raise
        if path.exists():
            path.rename(folder / "old")
        path.parent.mkdir(exist_ok=True)
        new.rename(path)
        self._refused.pop(path, None)
        self._intact[path] = fingerprint(path)

    def _fetch(self, remote: str, manifest: Manifest, folder: Path) -> None:
        """Writes a bundle's files into a folder."""
        size, free = sum(record.bytes for record in manifest.files.values()), disk_usage(folder).free
        if size > free:
            raise BundleError(Path(remote), f"has {size} bytes, and the cache's disk has room for {free}")
        logger.info("fetching %s from %s, %d bytes", remote, self._url, size)
        started = self._clock()
        for name, record in manifest.files.items():
            with (folder / name).open("xb") as file, self._told(f"{remote}/{name}"):
                for block in self._files.blocks(f"{remote}/{name}", record.bytes):
                    file.write(block)
                    if self._closed.is_set():
                        raise Unreachable("the server stops")
                    if self._clock() - started > FETCH_SECONDS:
                        raise Unreachable(f"it took longer than {FETCH_SECONDS:g} s")
        logger.info("fetched %s in %.1f s", remote, self._clock() - started)

    @contextmanager
    def _told(self, remote: str) -> Iterator[None]:
        """Says which file of a bundle is at fault."""
        try:
            yield
        except NotThere as error:
            hint = "; it is written last, so the bundle is not complete" if MANIFEST in str(error) else ""
            raise BundleError(Path(remote), f"cannot be fetched: {error}{hint}") from None
        except Unreachable as error:
            raise BundleError(Path(remote), f"cannot be fetched: {error}") from None
        except TooLong as error:
            raise BundleError(Path(remote), f"{error}, which is what it may have") from None

    @contextmanager
    def _aside(self) -> Iterator[Path]:
        """A folder for what is not complete, which one server at a time has; what others left behind is removed."""
        place = self._folder / FETCHING
        with (place / "lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if self._closed.wait(_LOCK_SECONDS):
                        raise Unreachable("the server stops") from None
            for left in place.glob("bundle-*"):
                rmtree(left, ignore_errors=True)
            folder = Path(mkdtemp(prefix="bundle-", dir=place))
            try:
                yield folder
            finally:
                rmtree(folder, ignore_errors=True)

    def _forget(self, found: Scan) -> None:
        """Removes the copies of versions that the remote side does not list."""
        listed = found.keys
        for path in discover(self._folder):
            name, version = path.parent.name, int(path.name)
            if (name, version) not in listed and not found.hides(name, version):
                logger.info("%s has no %s/%s any more; its copy is removed", self._url, name, version)
                rmtree(path, ignore_errors=True)
                self._intact.pop(path, None)


@contextmanager
def _seen_as(remote: str, folder: Path) -> Iterator[None]:
    """Names files by where they come from, and not by the folder that they are in for now."""
    try:
        yield
    except BundleError as error:
        raise BundleError(Path(remote, error.path.relative_to(folder)), error.reason) from None


def default_cache() -> Path:
    """The user's cache folder for this program, where the platform has it.

    Raises:
        StartupError: The user has no home folder, or the library that finds it is not installed.
    """
    try:
        from platformdirs import user_cache_path
    except ImportError:
        raise StartupError(
            "platformdirs is not installed; pip install 'ostinato[remote]', or give --cache-dir"
        ) from None
    no_home = StartupError(f"user {os.getuid()} has no home folder for the cache; pass --cache-dir (or OSTINATO_CACHE)")
    try:
        folder = user_cache_path("ostinato") / "repositories"
    except RuntimeError as error:
        raise no_home from error
    if not folder.is_absolute():  # older versions of platformdirs return "~/.cache"
        raise no_home
    return folder
