"""What the engine tells about its work, for metrics, logs and traces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ostinato_server.engine.fault import Fault
from ostinato_server.engine.request import Milestones


class EngineObserver(Protocol):
    """Told by the engine thread; must be fast and must not raise."""

    def admitted(self, queue_seconds: float, trace_id: str) -> None:
        """A request got a slot after waiting so long; ``trace_id`` is the trace that it is kept in, empty for none."""

    def read_prompt(self, tokens: int) -> None:
        """Tokens of a prompt, source or text were accepted."""

    def first_token(self, seconds: float, trace_id: str) -> None:
        """A stream gave its first token so long after its arrival."""

    def stepped(self, batch: int, seconds: Sequence[float], generated: int, gaps: NDArray[np.float64]) -> None:
        """Steps of ``batch`` rows took so many seconds each and gave ``generated`` tokens together.

        ``gaps`` are the seconds between each token and its stream's last one.
        """

    def load(self, running: int, waiting: int, parked: int) -> None:
        """So many requests run, wait for a slot, and wait for their reader."""

    def failed(self, fault: Fault) -> None:
        """The runtime failed, and one request or several with it."""

    def ended(self) -> None:
        """The engine has ended; told once its thread is gone."""


class RequestObserver(Protocol):
    """Whose request it is; told on the event loop."""

    @property
    def sampled_trace_id(self) -> str:
        """The trace that the request is kept in, in hexadecimal digits; empty for none."""

    def went(self, milestones: Milestones) -> None:
        """The engine is done with the request, however it ended."""
