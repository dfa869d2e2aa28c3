"""Adam for a stack of networks: a learning rate for every network, and networks that leave early."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

FIRST_DECAY, SECOND_DECAY, SMALL = 0.9, 0.999, 1e-8
"""As Kingma & Ba (2015) give them, and as `torch.optim.Adam` has them."""


class StackAdam:
    """Kingma & Ba, "Adam: A Method for Stochastic Optimization" (2015), algorithm 1, row by row.

    Attributes:
        parameters: of the networks still in training, a row each, (N, P).
    """

    def __init__(self, parameters: Tensor, learning_rates: Sequence[float]) -> None:
        """Start at `parameters` (N, P), with one of the N `learning_rates` for each row."""
        self.parameters = parameters
        self._rates = torch.tensor(learning_rates).unsqueeze(1)  # (N, 1)
        self._first = torch.zeros_like(parameters)
        self._second = torch.zeros_like(parameters)
        self._updates = 0

    def step(self, gradient: Tensor) -> None:
        """Make one update with `gradient` (N, P)."""
        self._updates += 1
        self._first = FIRST_DECAY * self._first + (1 - FIRST_DECAY) * gradient
        self._second = SECOND_DECAY * self._second + (1 - SECOND_DECAY) * gradient.square()
        first = self._first / (1 - FIRST_DECAY**self._updates)
        second = self._second / (1 - SECOND_DECAY**self._updates)
        self.parameters = self.parameters - self._rates * first / (second.sqrt() + SMALL)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone."""
        kept = list(rows)
        self.parameters, self._rates = self.parameters[kept], self._rates[kept]
        self._first, self._second = self._first[kept], self._second[kept]
