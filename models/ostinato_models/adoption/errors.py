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
        remedy: Python code that makes a file that fits; empty where the problems say what to do.
    """

    def __init__(self, path: Path, problems: Sequence[str], remedy: str = "") -> None:
        lines = [f"{path}: {'; '.join(problems)}"]
        if remedy:
            lines += ["", *(f"    {line}".rstrip() for line in remedy.strip().splitlines())]
        super().__init__("\n".join(lines))
        self.path = path
        self.problems = tuple(problems)
        self.remedy = remedy


def reason(error: Exception) -> str:
    """What a library says is wrong: ONNX Runtime first, the TorchScript interpreter after its stack."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1] if "TorchScript interpreter" in lines[0] else lines[0]
