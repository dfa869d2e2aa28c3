"""Telling a want of memory from whatever else a library throws while a model is loaded."""

from __future__ import annotations

from collections.abc import Iterator

from ostinato_bundle import BundleError

_SAYINGS = (
    "failed to allocate memory",  # ONNX Runtime
    "bad_alloc",  # C++
    "bad allocation",
    "can't allocate memory",  # torch on the CPU
    "out of memory",  # CUDA
)


class MemoryShortage(BundleError):
    """There is not enough memory for a bundle now; nothing is wrong with it."""


def is_shortage(error: BaseException) -> bool:
    """Whether an error, or what led to it, is that memory could not be had."""
    return any(
        isinstance(each, MemoryError) or any(saying in str(each).lower() for saying in _SAYINGS)
        for each in _with_causes(error)
    )


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
