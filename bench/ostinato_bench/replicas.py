"""Several servers that an event befalls: one is killed or drained, or all are restarted in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType

from ostinato_bench.served import ServerProcess, deferred_signals

CLOSING_SECONDS = 5.0
"""How long a replica may take to end when the bench is done with it."""


class Replicas:
    """Servers of one repository, each on a port that it keeps when it is restarted.

    Args:
        repository: Folder of the model bundles.
        flags: Further flags of ``ostinato serve``.
        grace: How long a drained replica lets its calls run, in seconds.
    """

    def __init__(self, repository: Path, flags: Sequence[str], grace: float) -> None:
        self._repository = repository
        self._flags = ("--grace", str(grace), *flags)
        self._processes: list[ServerProcess] = []
        self._patience = grace + CLOSING_SECONDS
        self.addresses: list[str] = []

    def start(self, count: int) -> None:
        """Starts replicas side by side and waits until all are ready.

        Raises:
            click.ClickException: One does not become ready.
        """
        for _ in range(count):
            with deferred_signals():
                self._processes.append(ServerProcess(self._repository, self._flags))
        self.addresses = [process.ready().target for process in self._processes]

    def kill(self) -> None:
        """Ends the first replica with SIGKILL; starts it again if it is the only one."""
        self._processes[0].kill()
        self._replace_only()

    def drain(self) -> None:
        """Ends the first replica with SIGTERM; starts it again if it is the only one."""
        self._processes[0].end(self._patience)
        self._replace_only()

    def roll(self) -> None:
        """Ends every replica with SIGTERM and starts it again, one after another."""
        for index, process in enumerate(self._processes):
            process.end(self._patience)
            self._restart(index)

    def end(self) -> None:
        """Ends all replicas."""
        for process in self._processes:
            process.drain()
        for process in self._processes:
            process.end(self._patience)

    def _replace_only(self) -> None:
        if len(self._processes) == 1:
            self._restart(0)

    def _restart(self, index: int) -> None:
        port = int(self.addresses[index].rpartition(":")[2])
        with deferred_signals():
            self._processes[index] = ServerProcess(self._repository, self._flags, port)
        self._processes[index].ready()


EVENTS: Mapping[str, Callable[[Replicas], None]] = MappingProxyType(
    {"kill": Replicas.kill, "drain": Replicas.drain, "roll": Replicas.roll}
)


@contextmanager
def replicas(repository: Path, flags: Sequence[str], grace: float, count: int) -> Iterator[Replicas]:
    """Runs so many replicas, and ends them.

    Raises:
        click.ClickException: One does not become ready.
    """
    with ExitStack() as ending:
        running = Replicas(repository, flags, grace)
        ending.callback(running.end)
        running.start(count)
        yield running
