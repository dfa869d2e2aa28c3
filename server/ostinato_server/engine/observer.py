"""What the engine tells about its work, for metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class EngineObserver(Protocol):
    """Told by the engine thread; must be fast and must not raise."""

    def admitted(self, queue_seconds: float) -> None:
        """A request got a slot after waiting so long."""

    def read_prompt(self, tokens: int) -> None:
        """Tokens of a prompt, source or text were accepted."""

    def first_token(self, seconds: float) -> None:
        """A stream gave its first token so long after its arrival."""

    def stepped(self, batch: int, seconds: Sequence[float], generated: int, gaps: NDArray[np.float64]) -> None:
        """Steps of ``batch`` rows took so many seconds each and gave ``generated`` tokens together.

        ``gaps`` are the seconds between each token and its stream's last one.
        """

    def load(self, running: int, waiting: int, parked: int) -> None:
        """So many requests run, wait for a slot, and wait for their reader."""

    def ended(self) -> None:
        """The engine has ended; told once its thread is gone."""
