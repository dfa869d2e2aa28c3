"""Compiling to TorchScript, which is deprecated upstream; a bundle offers it as one format of several."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ostinato_bundle import Tensor as Declared

_DTYPES = {"float32": torch.float32, "int64": torch.int64}
EXAMPLE_BATCH, EXAMPLE_LENGTH = 2, 3


def script(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of the TorchScript subset."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        compiled: Callable[..., Any] = torch.jit.script(function)
    return compiled


def trace(module: nn.Module, inputs: Sequence[Declared]) -> torch.jit.ScriptModule:
    """Record a module whose forward takes the declared inputs."""
    example = tuple(_example(tensor) for tensor in inputs)
    module.eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(module, example, check_trace=False)  # type: ignore[no-untyped-call]
    assert isinstance(traced, torch.jit.ScriptModule)  # noqa: S101 (for the type checker)
    return traced


def _example(tensor: Declared) -> Tensor:
    """Ones: a valid token, length, probability, temperature and state alike."""
    sizes = [EXAMPLE_BATCH, *(EXAMPLE_LENGTH if size < 0 else size for size in tensor.shape[1:])]
    return torch.ones(sizes, dtype=_DTYPES[tensor.data_type])


def save_trace(module: nn.Module, inputs: Sequence[Declared], path: Path) -> None:
    """Record a module and write it."""
    save_module(trace(module, inputs), path)


def save_module(module: torch.jit.ScriptModule, path: Path) -> None:
    """Write a module.

    Raises:
        OSError: It cannot be written; torch's own writer ends the whole process when a disk is full.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        content: bytes = module.save_to_buffer()
    path.write_bytes(content)
