import math
import threading
import time

from ostinato_server.engine.worker import Worker


class Clumsy(Worker):
    """Breaks at its first piece of work; has one more that no message announces."""

    def __init__(self) -> None:
        super().__init__("clumsy", time.monotonic)
        self.left = 0
        self.failures = 0
        self.done = threading.Event()

    def handle(self, message: object) -> None:
        assert isinstance(message, int)
        self.left += message

    def cycle(self) -> bool:
        if not self.left:
            return False
        self.left -= 1
        if not self.failures:
            raise RuntimeError("broke")
        self.done.set()
        return self.left > 0

    def fail(self) -> None:
        self.failures += 1

    def rehearse(self) -> None:
        pass


def test_work_that_waits_behind_a_failure_goes_on_without_another_message() -> None:
    worker = Clumsy()
    worker.start()
    worker.post(2)
    finished = worker.done.wait(10)
    worker.stop(10)
    assert finished
    assert (worker.failures, worker.left) == (1, 0)


class Punctual(Worker):
    """Has work at a time that no message announces."""

    def __init__(self) -> None:
        super().__init__("punctual", time.monotonic)
        self.work_at = math.inf
        self.done = threading.Event()

    @property
    def due_at(self) -> float:
        return self.work_at

    def handle(self, message: object) -> None:
        assert isinstance(message, float)
        self.work_at = message

    def cycle(self) -> bool:
        if self._clock() >= self.work_at:
            self.work_at = math.inf
            self.done.set()
        return False


def test_work_that_is_due_later_is_done_without_another_message() -> None:
    worker = Punctual()
    worker.start()
    worker.post(time.monotonic() + 0.05)
    finished = worker.done.wait(10)
    worker.stop(10)
    assert finished
