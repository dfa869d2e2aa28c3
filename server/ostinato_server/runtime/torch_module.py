"""How TorchScript is run: the manifest's data types in torch, and without the compiler that guesses from runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

DTYPES: Mapping[str, torch.dtype] = {"float32": torch.float32, "int64": torch.int64}


def as_written(module: Callable[..., Any]) -> Callable[..., Any]:
    """The same module, run operation by operation.

    On a GPU, torch's executor would watch the first runs of every shape and then fuse what it saw, into other kernels
    for other batch sizes: pauses in which nothing may be recorded, and numbers that depend on who else is there.
    """

    def run(*inputs: torch.Tensor) -> Any:
        with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]  # for this thread only
            return module(*inputs)

    return run
