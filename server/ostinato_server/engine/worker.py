"""The thread that owns a model's compute, and the queue that leads into it."""

from __future__ import annotations

import logging
import math
import queue
import threading
from collections.abc import Callable
from typing import Any

from ostinato_server.engine.fault import Fault

logger = logging.getLogger(__name__)

REHEARSAL_SECONDS = 1.0
"""Between two tries of an engine that cannot work."""


class Stop:
    """Asks a worker to end."""


class Worker:
    """A thread that turns messages into work, one cycle after another.

    A subclass handles messages and does a bounded piece of work per cycle. It waits for messages only while it has
    no work left.

    When a piece of work throws, its requests fail, and before any others can, the worker tries whether it can work at
    all. While it cannot, it takes up nothing, and tries again now and then.

    Args:
        name: Name of the thread.
        clock: Seconds, monotonic.
    """

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._stopping = False
        self._busy_since: float | None = None
        self._shaken = False
        self._faulty = False

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """Asks the thread to end and waits for it; what is still running is given up."""
        self._stopping = True
        self._inbox.put(Stop())
        self._thread.join(timeout_seconds)

    def post(self, message: object) -> None:
        """Puts a message into the inbox; safe from any thread."""
        self._inbox.put(message)

    def fault(self, stall_seconds: float) -> Fault | None:
        """What keeps the worker from its work, if anything does; safe from any thread.

        Args:
            stall_seconds: The longest that a piece of work may take.
        """
        since = self._busy_since
        if not self._stopping and not self._thread.is_alive():
            return Fault.ENDED
        if since is not None and self._clock() - since >= stall_seconds:
            return Fault.STALLED
        return Fault.FAULTY if self._faulty else None

    def handle(self, message: object) -> None:
        """Takes a message; called on the thread."""
        raise NotImplementedError

    def cycle(self) -> bool:
        """Does a piece of work; called on the thread.

        Returns:
            Whether there is more to do.
        """
        raise NotImplementedError

    @property
    def due_at(self) -> float:
        """When a cycle is due although no message arrives; infinite when only messages bring work."""
        return math.inf

    def fail(self) -> None:
        """Gives up the work at hand after an unexpected error; called on the thread."""
        raise NotImplementedError

    def rehearse(self) -> None:
        """Does a piece of work that nobody asked for; called on the thread, after a failure.

        Raises:
            Exception: It cannot work.
        """
        raise NotImplementedError

    def _run(self) -> None:
        try:
            self._work()
        except BaseException:
            logger.critical("%s has ended; only a restart brings it back", self._thread.name, exc_info=True)

    def _work(self) -> None:
        wait: float | None = None
        while True:
            try:
                if not self._drain(wait):
                    return
                self._busy_since = self._clock()
                wait = self._turn()
            except Exception:
                logger.exception("%s: unexpected error; the requests in it fail", self._thread.name)
                self.fail()
                self._shaken = True
                wait = 0.0  # what has not failed may be waiting, and no message would wake it

    def _turn(self) -> float | None:
        """Does a piece of work, if it can work; gives how long to wait for messages after it."""
        if self._shaken and not self._recovered():
            return REHEARSAL_SECONDS
        if self.cycle():
            return 0.0
        due_at = self.due_at
        return None if due_at == math.inf else max(0.0, due_at - self._clock())

    def _recovered(self) -> bool:
        try:
            self.rehearse()
        except Exception:
            if not self._faulty:
                logger.exception("%s cannot work any more; it goes on trying", self._thread.name)
            self._faulty = True
            return False
        if self._faulty:
            logger.warning("%s works again", self._thread.name)
        self._shaken = self._faulty = False
        return True

    def _drain(self, wait: float | None) -> bool:
        """Handles all messages that are there; false when told to stop.

        Args:
            wait: Seconds to wait for the first one; for ever when None.
        """
        while True:
            if wait != 0.0:
                self._busy_since = None
            try:
                message = self._inbox.get(block=wait != 0.0, timeout=wait or None)
            except queue.Empty:
                return True
            if isinstance(message, Stop):
                return False
            self.handle(message)
            wait = 0.0
