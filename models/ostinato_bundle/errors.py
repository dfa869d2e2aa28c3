"""Why a bundle is refused."""

from pathlib import Path


class BundleError(Exception):
    """A bundle, or a file of it, does not hold what its manifest says.

    Attributes:
        path: The file or folder at fault.
        reason: What is wrong with it, in one line.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
