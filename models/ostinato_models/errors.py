"""Everything the model side refuses, as one small tree of exceptions that carry facts.

ModelsError
├── ConfigurationError      a configuration value outside its domain
├── DeviceUnavailableError  the device asked for is not on this machine
├── DataError
│   ├── DataMissingError    neither in the data folder nor fetchable
│   ├── DataHashError       a file whose sha256 is none of the known ones
│   └── DataFormatError     a file that does not read as what it should be
└── RunDirectoryError       a run directory that cannot be used as asked
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class ModelsError(Exception):
    """Base of every error that `ostinato_models` raises on purpose."""


class ConfigurationError(ModelsError):
    """A configuration value lies outside its domain."""

    def __init__(self, field: str, value: object, requirement: str) -> None:
        """Remember which `field` had which `value`, and the `requirement` it broke."""
        super().__init__(f"{field} = {value!r}: must be {requirement}")
        self.field = field
        self.value = value
        self.requirement = requirement


class DeviceUnavailableError(ModelsError):
    """The compute device asked for does not exist here."""

    def __init__(self, device: str, reason: str) -> None:
        """Remember the `device` asked for and why it cannot be used."""
        super().__init__(f"device {device!r} is not available: {reason}")
        self.device = device


class DataError(ModelsError):
    """Base of the errors about data sets."""


class DataMissingError(DataError):
    """A file is neither in the data folder nor could it be fetched."""

    def __init__(self, name: str, reason: str) -> None:
        """Remember the file's `name` inside the data folder and the `reason`."""
        super().__init__(f"data file {name} is missing: {reason}")
        self.name = name


class DataHashError(DataError):
    """A file's content is not one of the known versions."""

    def __init__(self, path: Path, actual: str, accepted: Sequence[str]) -> None:
        """Remember the `path`, its `actual` sha256 and the `accepted` ones."""
        super().__init__(f"{path}: sha256 is {actual}, expected one of {', '.join(accepted)}")
        self.path = path
        self.actual = actual
        self.accepted = tuple(accepted)


class DataFormatError(DataError):
    """A file does not have the format of the data set it should be."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        """Remember the `path`, the one-based `line` (0: the whole file) and the `reason`."""
        super().__init__(f"{path}:{line}: {reason}" if line else f"{path}: {reason}")
        self.path = path
        self.line = line


class RunDirectoryError(ModelsError):
    """A run directory cannot be used as asked."""

    def __init__(self, path: Path, reason: str) -> None:
        """Remember the directory's `path` and the `reason`."""
        super().__init__(f"run directory {path}: {reason}")
        self.path = path
