"""What the laboratory refuses.

ModelsError
└── LabError
    ├── UnknownExperimentError  no experiment has that name
    └── ShippedModelError       a shipped model that an experiment needs is not there
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ostinato_models.errors import ModelsError


class LabError(ModelsError):
    """Base of every error of the laboratory."""


class UnknownExperimentError(LabError):
    """No experiment has that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        """Remember the `name` asked for and the `known` ones."""
        self.name = name
        self.known = tuple(known)
        super().__init__(f"{name!r} is no experiment; there is {', '.join(self.known)}")


class ShippedModelError(LabError):
    """A shipped model that an experiment needs is not there, or not intact."""

    def __init__(self, name: str, repository: Path, reason: str) -> None:
        """Remember the model's `name`, the `repository` that was looked into and the `reason`."""
        super().__init__(
            f"the model {name!r} cannot be loaded from {repository}: {reason}; "
            "OSTINATO_REPOSITORY says where the models are"
        )
        self.name = name
        self.repository = repository
