"""How a TorchScript module nests its states: what `forward` declares, flattened to tensors and put together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Shape = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Nest:
    """An argument: a tensor, or a tuple or list of such.

    Attributes:
        name: the tensor's name, or the argument's.
        parts: what is inside; None for a tensor.
        is_list: whether it is passed as a list, else as a tuple.
    """

    name: str
    parts: tuple[Nest, ...] | None = None
    is_list: bool = False

    def names(self) -> Iterator[str]:
        """The names of its tensors, in order."""
        if self.parts is None:
            yield self.name
        for part in self.parts or ():
            yield from part.names()

    def put(self, tensors: Iterator[Tensor]) -> Any:
        """Take as many tensors as it has and nest them."""
        if self.parts is None:
            return next(tensors)
        parts = [part.put(tensors) for part in self.parts]
        return parts if self.is_list else tuple(parts)


class UnsupportedTypeError(Exception):
    """A type that is neither a tensor nor a tuple or list of them."""


def nest_of(name: str, kind: Any, sizes: Iterator[int]) -> Nest:
    """The nest of a declared type; an optional one is always passed.

    Args:
        name: of the argument.
        kind: its TorchScript type.
        sizes: the lengths of lists, which their type does not tell, in the order in which they are met.

    Raises:
        UnsupportedTypeError: anything else is in it, or there are no more sizes.
    """
    if kind.kind() == "TensorType":
        return Nest(name)
    if kind.kind() == "OptionalType":
        return nest_of(name, kind.getElementType(), sizes)
    if kind.kind() in ("TupleType", "ListType"):
        is_list = kind.kind() == "ListType"
        inner = [kind.getElementType()] * next(sizes, 0) if is_list else kind.elements()
        if inner and not (is_list and inner[0].kind() != "TensorType"):  # tracing keeps no track of tuples in lists
            parts = tuple(nest_of(f"{name}[{index}]", part, sizes) for index, part in enumerate(inner))
            return Nest(name, parts, is_list)
    raise UnsupportedTypeError


def flatten(value: Any) -> list[Tensor]:
    """The tensors of nested tuples and lists, in order.

    Raises:
        TypeError: something else is among them.
    """
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, tuple | list):
        return [tensor for part in value for tensor in flatten(part)]
    if isinstance(value, dict):
        names = ", ".join(map(str, value))
        raise TypeError(f"it gives a dictionary ({names}); expected a tuple: return logits, (h, c) from forward")
    raise TypeError(f"it gives a {type(value).__name__} among its results; expected logits and states, all tensors")


@dataclass(frozen=True, slots=True)
class Layers:
    """A recurrent module of torch: an `nn.LSTM`, `nn.GRU`, `nn.RNN` or a cell of these.

    Attributes:
        shapes: of its states: h, and c where it is an LSTM.
    """

    shapes: tuple[Shape, ...]


def recurrent_layers(module: torch.jit.ScriptModule) -> list[Layers]:
    """The recurrent modules in the order of their weights, told by the names and shapes of these."""
    weights: dict[str, dict[str, Tensor]] = {}
    for name, value in module.named_parameters():
        owner, _, weight = name.rpartition(".")
        if weight.startswith(("weight_hh", "weight_hr")):
            weights.setdefault(owner, {})[weight] = value
    return [_layers(found) for found in weights.values() if any(name.startswith("weight_hh") for name in found)]


def _layers(weights: dict[str, Tensor]) -> Layers:
    recurrent = {name: value for name, value in weights.items() if name.startswith("weight_hh")}
    first = next(iter(recurrent.values()))
    projected = next((value for name, value in weights.items() if name.startswith("weight_hr")), None)
    width = int(first.shape[1])  # of h
    cells = int(projected.shape[1]) if projected is not None else width
    is_lstm = int(first.shape[0]) == 4 * cells
    stacked = "weight_hh" not in recurrent  # a cell has one, without a layer's number
    widths = (width, cells) if is_lstm else (width,)
    return Layers(tuple((len(recurrent), "batch", size) if stacked else ("batch", size) for size in widths))


def list_sizes(layers: Sequence[Layers], kind: Any) -> list[int]:
    """The likely length of a list: as many tensors as the recurrent modules have states."""
    if kind.kind() == "OptionalType":
        return list_sizes(layers, kind.getElementType())
    return [sum(len(layer.shapes) for layer in layers)] if kind.kind() == "ListType" and layers else []
