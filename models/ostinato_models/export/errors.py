"""What stops an export."""

from __future__ import annotations

from ostinato_models.errors import ModelsError


class ExportError(ModelsError):
    """A model cannot be exported, or a bundle cannot be written."""


class ParityError(ExportError):
    """An artifact's numbers are further from PyTorch's than allowed.

    Attributes:
        file: the artifact.
        quantity: what differs.
        difference: by how much, at most.
        tolerance: what is allowed.
    """

    def __init__(self, file: str, quantity: str, difference: float, tolerance: float) -> None:
        super().__init__(f"{file}: {quantity} is off by {difference:.3g}; at most {tolerance:.3g} is allowed")
        self.file = file
        self.quantity = quantity
        self.difference = difference
        self.tolerance = tolerance
