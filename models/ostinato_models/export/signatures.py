"""What graphs take and give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ostinato_bundle import Tensor
from ostinato_bundle.manifest import DataType


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs of a graph, in order."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def batch(name: str, data_type: DataType = "float32", *sizes: int) -> Tensor:
    """A tensor of shape (batch, *sizes); -1 is dynamic."""
    return Tensor(name=name, data_type=data_type, shape=(-1, *sizes))


def state_tensors(sizes: Sequence[int]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """``state_0``, … of the given widths, and the ``next_state_0``, … that answer them."""
    states = tuple(batch(f"state_{index}", "float32", size) for index, size in enumerate(sizes))
    following = tuple(batch(f"next_{state.name}", "float32", *state.shape[1:]) for state in states)
    return states, following
