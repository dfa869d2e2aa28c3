"""A moving average of the weights, which generalises better than the last of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of a model's parameters (Polyak & Juditsky, 1992).

    The first updates count more than `decay` says, so that the average does not begin with the
    untrained weights: after n updates the factor is ``min(decay, (1 + n) / (10 + n))``.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Begin with the model's present weights."""
        self._parameters: list[Tensor] = list(model.parameters())
        self._decay = decay
        self._updates = 0
        self._average = [parameter.detach().clone() for parameter in self._parameters]

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights in."""
        self._updates += 1
        weight = 1.0 - min(self._decay, (1 + self._updates) / (10 + self._updates))
        torch._foreach_lerp_(self._average, self._parameters, weight)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the model compute with the average; its own weights are back afterwards."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> dict[str, Any]:
        """All that a checkpoint needs."""
        return {"updates": self._updates, "average": self._average}

    def restore(self, updates: int, average: Sequence[Tensor]) -> None:
        """Take up what `state` gave."""
        self._updates = updates
        for own, saved in zip(self._average, average, strict=True):
            own.copy_(saved)

    @torch.no_grad()
    def _swap(self) -> None:
        for index, parameter in enumerate(self._parameters):
            parameter.data, self._average[index] = self._average[index], parameter.data
