"""How many requests a model takes on at once, and when a refused one should come back."""

from __future__ import annotations

from ostinato_server.errors import Overloaded

_SMOOTHING = 0.1
"""Weight of the newest duration in the running mean."""

_SHORTEST_RETRY_SECONDS = 0.05


class Admission:
    """Counts the requests of a model and refuses those over its bound.

    Args:
        model: Name of the model, for the error.
        slots: Requests that run at once.
        max_queue: Requests that may wait for a slot.
    """

    def __init__(self, model: str, slots: int, max_queue: int) -> None:
        self._model = model
        self._slots = slots
        self.limit = slots + max_queue
        self.inside = 0
        self._mean_seconds = 0.0

    def enter(self, count: int = 1) -> None:
        """Takes requests in.

        Raises:
            Overloaded: They would exceed the bound; none of them was taken in.
        """
        if self.inside + count > self.limit:
            raise Overloaded(self._model, self.limit, self.retry_after_seconds())
        self.inside += count

    def leave(self, seconds: float) -> None:
        """Lets one request out that took so long."""
        self.inside -= 1
        self._mean_seconds += _SMOOTHING * (seconds - self._mean_seconds)

    def retry_after_seconds(self) -> float:
        """Time until the queue is expected to be half empty: its half, served ``slots`` at a time."""
        rounds = max(1.0, (self.limit - self._slots) / 2 / self._slots)
        return max(_SHORTEST_RETRY_SECONDS, rounds * self._mean_seconds)
