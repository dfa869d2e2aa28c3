"""How many slots requests may hold and wait for, which can be done in time, and when to retry a refused one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

from ostinato_server.engine.drain_rate import DrainRate
from ostinato_server.engine.request import Priority
from ostinato_server.errors import DeadlineExpired, DeadlineUnreachable, Overloaded

_SMOOTHING = 0.1
"""Weight of the newest duration in the running mean."""

_SHORTEST_RETRY_SECONDS = 0.05

_MARGIN = 1.5
"""What a request that has to wait is expected to take at most, as a multiple of the estimate.

The estimate is that of the load so far. When many times as many calls come at once, to refuse them takes part of the
cores from the streams, and those that were let in before that shows wait longer. With 1.2, up to a tenth of the work
was for streams that their deadlines ended, of 24 s; with 1.5, none of it, though some where deadlines are shorter.
"""


class Admission:
    """Counts the slots that a model's requests hold or wait for, and refuses requests over its bound.

    A stream takes one slot, a beam search as many as it has hypotheses, a batch one for each text. Requests whose
    deadline cannot be met are refused too.

    A request that finds a free slot is never refused for its deadline: how long it runs is its own affair, and what it
    was sent until then may be all that was wanted. One that has to wait is refused when the wait and the usual time of
    a request do not fit into what is left.

    Args:
        model: Name of the model, for the error.
        slots: Slots that run at once.
        max_queue: Slots that may be waited for.
        clock: Seconds, monotonic.
    """

    def __init__(self, model: str, slots: int, max_queue: int, clock: Callable[[], float]) -> None:
        self._model = model
        self._slots = slots
        self._clock = clock
        self.limit = slots + max_queue
        self.inside = 0
        self._classes: Counter[Priority] = Counter()
        self._drain = DrainRate()
        self._served_seconds = 0.0

    def enter(self, count: int = 1, *, priority: Priority = Priority.NORMAL, deadline: float = math.inf) -> None:
        """Takes requests in.

        Args:
            count: Slots that they need together.
            priority: Their class.
            deadline: When they must be done, on the clock.

        Raises:
            Overloaded: They would exceed the bound; none of them was taken in.
            DeadlineUnreachable: They would have to wait, and their deadline would pass before they are done.
            DeadlineExpired: Their deadline has passed already.
        """
        self.check(count, priority=priority, deadline=deadline)
        if self.inside <= self._slots < self.inside + count:
            self._drain.backlogged(self._clock())
        self.inside += count
        self._classes[priority] += count

    def check(self, count: int = 1, *, priority: Priority = Priority.NORMAL, deadline: float = math.inf) -> None:
        """Refuses what `enter` would refuse, before any work is spent on it.

        Raises:
            Overloaded: As there.
            DeadlineUnreachable: As there.
            DeadlineExpired: The deadline has passed already.
        """
        now = self._clock()
        if deadline <= now:
            raise DeadlineExpired
        if self.inside + count > self.limit:
            raise Overloaded(self._model, self.limit, self.retry_after_seconds())
        wait = self.wait_seconds(count, priority)
        late = (wait + self._served_seconds) * _MARGIN - (deadline - now) if wait else 0.0
        if late > 0:
            raise DeadlineUnreachable(self._model, wait, deadline - now, max(_SHORTEST_RETRY_SECONDS, late))

    def leave(self, priority: Priority, served_seconds: float | None, count: int = 1) -> None:
        """Lets one request out.

        Args:
            priority: Its class.
            served_seconds: From its slot to its end; none when it was given up before.
            count: Slots that it needed.
        """
        if served_seconds is not None:
            self.served(served_seconds, count)
        self.inside -= count
        self._classes[priority] -= count

    def served(self, seconds: float, count: int = 1) -> None:
        """Notes that slots were used to the end.

        Args:
            seconds: From the slots to the end.
            count: Slots.
        """
        if self.inside > self._slots:
            self._drain.served(self._clock(), count)
        weight = _SMOOTHING if self._served_seconds else 1.0
        self._served_seconds += weight * (seconds - self._served_seconds)

    def wait_seconds(self, count: int, priority: Priority) -> float:
        """How long a request for so many slots is expected to wait; 0 when there is room, or nothing is known yet."""
        ahead = sum(number for other, number in self._classes.items() if other <= priority)
        running_behind = min(self._slots, self.inside - ahead)
        return max(0, ahead + running_behind + count - self._slots) * self._drain.seconds_per_slot

    def retry_after_seconds(self) -> float:
        """Time until the queue is expected to be half empty."""
        return max(_SHORTEST_RETRY_SECONDS, (self.limit - self._slots) / 2 * self._drain.seconds_per_slot)
