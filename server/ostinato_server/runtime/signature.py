"""Whether a graph takes and gives what its manifest says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ostinato_bundle import Tensor
from ostinato_server.runtime.base import Array


class Declared(NamedTuple):
    """A tensor as a runtime tells it: sizes are numbers where they are fixed."""

    name: str
    data_type: str
    shape: Sequence[object]


def difference(what: str, found: Sequence[Declared], listed: Sequence[Tensor]) -> str:
    """How the tensors of a file differ from those of the manifest; empty if they do not.

    Args:
        what: ``inputs`` or ``outputs``.
        found: The file's.
        listed: The manifest's.
    """
    if [tensor.name for tensor in found] != [tensor.name for tensor in listed]:
        return f"its {what} are {_names(found)}, the manifest says {_names(listed)}"
    for have, said in zip(found, listed, strict=True):
        sizes = tuple(size if isinstance(size, int) and size >= 0 else -1 for size in have.shape)
        if (have.data_type, sizes) != (said.data_type, said.shape):
            return (
                f"its tensor {have.name} is {have.data_type}{list(sizes)}, "
                f"the manifest says {said.data_type}{list(said.shape)}"
            )
    return ""


def deviation(results: Mapping[str, Array], listed: Sequence[Tensor]) -> str:
    """How what a graph gave differs from the manifest; empty if it does not.

    Args:
        results: What it gave; states may be left out.
        listed: The manifest's outputs.
    """
    for said in listed:
        array = results.get(said.name)
        if array is None:
            continue
        fits = len(array.shape) == len(said.shape) and all(
            size in (-1, given) for size, given in zip(said.shape, array.shape, strict=True)
        )
        if not fits or str(array.dtype) != said.data_type:
            return (
                f"its tensor {said.name} came out as {array.dtype}{list(array.shape)}, "
                f"the manifest says {said.data_type}{list(said.shape)}"
            )
    return ""


def _names(tensors: Sequence[Declared | Tensor]) -> str:
    return ", ".join(tensor.name for tensor in tensors) or "none"
