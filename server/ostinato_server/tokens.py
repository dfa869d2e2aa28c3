"""Who may call: a file of hashed bearer tokens, each with a role and a name.

::

    # sha256 of the token                                             role   name
    9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  infer  alice

The file holds no token, so that reading it lets nobody in. Tokens are random and long, hence a plain hash: there is
nothing that a slow one or a salt would protect.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from ostinato_server.errors import StartupError
from ostinato_server.watched import Watched

MAX_NAME_CHARACTERS = 128

_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


class Role(IntEnum):
    """What the holder of a token may do; a higher role may do all that a lower one may."""

    INFER = 1
    ADMIN = 2


ROLES = {role.name.lower(): role for role in Role}


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a token is.

    Attributes:
        name: What logs and shares call the holder; several tokens may have the same name.
        role: What the holder may do.
    """

    name: str
    role: Role


class TokenTable:
    """The tokens in force.

    Args:
        holders: The SHA-256 of each token, and whose it is.
    """

    def __init__(self, holders: dict[bytes, Holder]) -> None:
        self._holders = tuple(holders.items())

    def find(self, token: str) -> Holder | None:
        """Whose a token is, if anybody's; takes the same time whichever it is and however near a wrong one comes."""
        digest = hashlib.sha256(token.encode()).digest()
        found = None
        for known, holder in self._holders:
            if hmac.compare_digest(known, digest):
                found = holder
        return found


def watch_tokens(path: Path) -> Watched[TokenTable]:
    """The tokens of a file, as it is now and whenever it changes.

    Raises:
        StartupError: The file cannot be read, is open to every user, or has a line that will not do.
    """
    return Watched([path], lambda: read_tokens(path))


def read_tokens(path: Path) -> TokenTable:
    """The tokens of a file.

    Raises:
        StartupError: The file cannot be read, is open to every user, or has a line that will not do. What a line holds
            is not repeated, since it may be a token that somebody forgot to hash.
    """
    content, mode = _read(path)
    if mode & stat.S_IRWXO:
        raise StartupError(f"{path}: is open to every user (mode {mode:04o}); chmod o= {path}")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise StartupError(f"{path}: is not UTF-8") from error
    holders: dict[bytes, Holder] = {}
    for number, (digest, holder) in _lines(path, text):
        if digest in holders:
            raise StartupError(f"{path}:{number}: holds the hash of an earlier line")
        holders[digest] = holder
    if not holders:
        raise StartupError(f"{path}: holds no token, so nobody could call")
    return TokenTable(holders)


def _read(path: Path) -> tuple[bytes, int]:
    """Content and permissions of one file: the path may name another file a moment later."""
    try:
        with path.open("rb") as file:
            return file.read(), stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    except OSError as error:
        raise StartupError(f"{path}: cannot be read ({error.strerror})") from error


def _lines(path: Path, text: str) -> Iterator[tuple[int, tuple[bytes, Holder]]]:
    """Number and content of the lines that hold something."""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"{path}:{number}"
        if len(words) != 3:
            raise StartupError(f"{where}: must hold a hash, a role and a name, not {len(words)} words")
        digest, role, name = words
        if not _SHA256.fullmatch(digest):
            raise StartupError(f"{where}: must begin with a SHA-256, 64 hexadecimal digits")
        if role not in ROLES:
            raise StartupError(f"{where}: the role must be one of {', '.join(ROLES)}")
        if len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
            raise StartupError(f"{where}: the name must have at most {MAX_NAME_CHARACTERS} printable characters")
        yield number, (bytes.fromhex(digest), Holder(name, ROLES[role]))
