"""A value that comes from files and is read again when they change: certificates, tokens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from ostinato_server.errors import StartupError

logger = logging.getLogger(__name__)

T = TypeVar("T")

_Identity = tuple[int, int, int, int]


class Watched(Generic[T]):
    """Reads files now, and again whenever one of them is another than before.

    Asking costs a ``stat`` for each file, microseconds, so there is no thread that watches and no time in which an old
    value is still given out. Files that are refused later than at the start change nothing: the last good value
    stays, and the log says once what is wrong. A pair of files is therefore safe to replace one after the other.

    Args:
        files: The files.
        read: Makes the value from them; raises StartupError when it cannot.

    Raises:
        StartupError: The files are refused at the start.
    """

    def __init__(self, files: Sequence[Path], read: Callable[[], T]) -> None:
        self._files = tuple(files)
        self._read = read
        self._lock = Lock()  # handshakes ask from threads of their own
        self._seen = self._signature()
        self._refused = False
        self._value = read()

    def get(self) -> T:
        """The value of the files as they are, or as they last were good."""
        with self._lock:
            self._follow()
            return self._value

    def recheck(self) -> None:
        """Reads files that were refused again as they are, without another word: they may have become valid."""
        with self._lock:
            if not self._follow() and self._refused:
                self._read_again(quiet=True)

    def _follow(self) -> bool:
        """Reads the files again if they have changed; gives whether they had."""
        now = self._signature()
        if now == self._seen:
            return False
        self._seen = now  # before the reading: a file that changes meanwhile is read once more
        self._read_again(quiet=False)
        return True

    def _read_again(self, *, quiet: bool) -> None:
        self._refused = True
        try:
            self._value = self._read()
        except StartupError as error:
            if not quiet:
                logger.error("%s; what was read before stays in force", error)
        except Exception:  # get() is called in handshakes and calls, which must not fail with it
            if not quiet:
                logger.exception(
                    "unexpected error while reading %s; what was read before stays in force", self._files[0]
                )
        else:
            self._refused = False
            logger.info("read again: %s", ", ".join(map(str, self._files)))

    def _signature(self) -> tuple[_Identity | None, ...]:
        return tuple(map(_identity, self._files))


def _identity(path: Path) -> _Identity | None:
    """What differs once a file was written, replaced or opened to others; None when it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def read_bytes(path: Path) -> bytes:
    """The content of a file that the server was told of.

    Raises:
        StartupError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartupError(f"{path}: cannot be read ({error.strerror})") from error
