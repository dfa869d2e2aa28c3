"""Why a bundle is refused."""

from pathlib import Path

MAX_CHARACTERS = 500
"""The longest reason, and the longest path, that is told."""


class BundleError(Exception):
    """A bundle, or a file of it, does not hold what its manifest says.

    Attributes:
        path: The file or folder at fault.
        reason: What is wrong with it, in one line: it may repeat what a hostile bundle says.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = _one_line(reason)
        super().__init__(f"{_one_line(str(path))}: {self.reason}")


def _one_line(text: str) -> str:
    """A text that fits into a line of a log and a status, and cannot pass for another one."""
    shown = "".join(character if character.isprintable() else " " for character in text[:MAX_CHARACTERS])
    return f"{shown}…" if len(text) > MAX_CHARACTERS else shown
