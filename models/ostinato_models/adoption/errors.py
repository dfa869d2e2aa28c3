"""Why a model is not adopted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ostinato_models.export.errors import ExportError


class AdoptionError(ExportError):
    """A model, or its vocabulary, cannot be served as it is.

    Attributes:
        path: the file at fault.
        problems: what does not fit, each with what was expected and what was found.
    """

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        super().__init__(f"{path}: {'; '.join(problems)}")
        self.path = path
        self.problems = tuple(problems)


def reason(error: Exception) -> str:
    """What a library says is wrong: ONNX Runtime first, the TorchScript interpreter after its stack."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1] if "TorchScript interpreter" in lines[0] else lines[0]
