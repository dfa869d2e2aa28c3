"""What the laboratory refuses.

ModelsError
└── LabError
    └── UnknownExperimentError  no experiment has that name
"""

from __future__ import annotations

from collections.abc import Iterable

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
