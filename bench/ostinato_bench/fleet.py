"""The processes that generate load, as one."""

from __future__ import annotations

import dataclasses
import multiprocessing
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection as Pipe

import click

from ostinato_bench.generator import READY, Load, Refused, serve
from ostinato_bench.recording import Recording
from ostinato_client.cli.options import Connection

STOP = "stop"

LEAD_SECONDS = 0.05
"""From the word to the start, so that all generators start together."""


@dataclass(frozen=True, slots=True)
class Running:
    """A run that is under way.

    Attributes:
        pipes: Where each generator sends its recording.
    """

    pipes: tuple[Pipe, ...]

    def ready(self, seconds: float) -> bool:
        """Whether there is something to read, waiting at most so long."""
        return self.pipes[0].poll(seconds)

    def stop(self) -> Recording:
        """Cuts the run short; what all generators recorded so far.

        Raises:
            click.ClickException: A generator ended or failed.
        """
        for pipe in self.pipes:
            pipe.send(STOP)
        return self.result()

    def result(self) -> Recording:
        """Waits for the end; what all generators recorded.

        Raises:
            click.ClickException: A generator ended or failed.
        """
        recordings = [_recording(pipe) for pipe in self.pipes]
        whole = recordings[0]
        for other in recordings[1:]:
            whole.join(other)
        return whole


class Fleet:
    """So many generators, which share every load.

    Args:
        pipes: One to each generator.
    """

    def __init__(self, pipes: Sequence[Pipe]) -> None:
        self._pipes = tuple(pipes)

    def begin(self, load: Load) -> Running:
        """Lets every generator connect and warm up, and then start together.

        Raises:
            click.ClickException: The server does not answer the warm-up.
        """
        parts = shares(load, len(self._pipes))
        used = self._pipes[: len(parts)]
        for pipe, part in zip(used, parts, strict=True):
            pipe.send(part)
        answers = [receive(pipe) for pipe in used]
        for answer in answers:
            if isinstance(answer, Refused):
                self._release(used, answers)
                raise click.ClickException(answer.reason)
        begin = time.perf_counter() + LEAD_SECONDS
        for pipe in used:
            pipe.send(begin)
        return Running(used)

    def run(self, load: Load) -> Recording:
        """Runs a load to its end.

        Raises:
            click.ClickException: The server does not answer the warm-up.
        """
        return self.begin(load).result()

    @staticmethod
    def _release(pipes: Sequence[Pipe], answers: Sequence[object]) -> None:
        """Ends those that wait for a start."""
        for pipe, answer in zip(pipes, answers, strict=True):
            if answer == READY:
                pipe.close()


@contextmanager
def fleet(connection: Connection, processes: int = 1) -> Iterator[Fleet]:
    """Starts so many generators, and ends them."""
    context = multiprocessing.get_context("spawn")  # gRPC does not survive a fork
    pairs = [context.Pipe() for _ in range(processes)]
    children = [context.Process(target=serve, args=(theirs, connection), daemon=True) for _, theirs in pairs]
    resource_tracker.ensure_running()  # first, since it unblocks SIGINT
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # inherited: Ctrl-C is for the parent alone
    try:
        for child in children:
            child.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    for _, theirs in pairs:
        theirs.close()
    try:
        yield Fleet([ours for ours, _ in pairs])
    finally:
        for ours, _ in pairs:
            ours.close()
        for child in children:
            child.terminate()
            child.join()


def shares(load: Load, processes: int) -> list[Load]:
    """The parts of a load; no more than it has requests in flight."""
    count = processes if load.concurrency is None else min(processes, load.concurrency)
    return [
        dataclasses.replace(
            load,
            concurrency=None if load.concurrency is None else (load.concurrency + count - 1 - index) // count,
            rate=None if load.rate is None else load.rate / count,
            seed=load.seed * count + index,
            first=load.first + index,
            stride=count,
        )
        for index in range(count)
    ]


def receive(pipe: Pipe) -> object:
    """What a process of the bench sends next.

    Raises:
        click.ClickException: The process ended.
    """
    try:
        answer: object = pipe.recv()
    except EOFError as error:
        raise click.ClickException("a process of the load generator ended unexpectedly") from error
    return answer


def _recording(pipe: Pipe) -> Recording:
    answer = receive(pipe)
    if isinstance(answer, Recording):
        return answer
    raise click.ClickException(answer.reason if isinstance(answer, Refused) else f"unexpected answer {answer!r}")
