"""The thread that owns a model's compute, and the queue that leads into it."""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any

logger = logging.getLogger(__name__)


class Stop:
    """Asks a worker to end."""


class Worker:
    """A thread that turns messages into work, one cycle after another.

    A subclass handles messages and does a bounded piece of work per cycle. It waits for messages only while it has
    no work left.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """Asks the thread to end and waits for it; what is still running is given up."""
        self._inbox.put(Stop())
        self._thread.join(timeout_seconds)

    def post(self, message: object) -> None:
        """Puts a message into the inbox; safe from any thread."""
        self._inbox.put(message)

    def handle(self, message: object) -> None:
        """Takes a message; called on the thread."""
        raise NotImplementedError

    def cycle(self) -> bool:
        """Does a piece of work; called on the thread.

        Returns:
            Whether there is more to do.
        """
        raise NotImplementedError

    def fail(self) -> None:
        """Gives up the work at hand after an unexpected error; called on the thread."""
        raise NotImplementedError

    def _run(self) -> None:
        busy = False
        while True:
            try:
                if not self._drain(wait=not busy):
                    return
                busy = self.cycle()
            except Exception:
                logger.exception("%s: unexpected error; its requests fail, the engine goes on", self._thread.name)
                self.fail()
                busy = True  # what has not failed may be waiting, and no message would wake it

    def _drain(self, wait: bool) -> bool:
        """Handles all messages that are there, waiting for the first one if asked to; false when told to stop."""
        while True:
            try:
                message = self._inbox.get(block=wait)
            except queue.Empty:
                return True
            if isinstance(message, Stop):
                return False
            self.handle(message)
            wait = False
