"""Processes that read streams with resuming clients and note when each character came."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from typing import Any

from ostinato_bench.fleet import receive
from ostinato_client import AsyncClient, OstinatoError
from ostinato_client.channels import BalanceName

JOIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the readers do in each run.

    Attributes:
        target: The servers, or the proxy before them.
        balance: How streams are spread over the target's addresses.
        model: Name of the model.
        prompt: Text that every stream continues.
        max_tokens: Length of a stream.
        timeout: Seconds allowed for a stream.
    """

    target: str
    balance: BalanceName
    model: str
    prompt: str
    max_tokens: int
    timeout: float


@dataclass(slots=True)
class Reading:
    """One stream as its reader saw it; times are on the monotonic clock, which all processes of a machine share.

    Attributes:
        seed: Seed of the stream.
        text: Characters that came.
        arrivals: When each message with characters came.
        began: When the stream was opened.
        ended: When it ended, well or not.
        resumptions: How often it was resumed.
        error: What it ended with; None when it came to its end.
    """

    seed: int
    began: float
    text: str = ""
    arrivals: array[float] = field(default_factory=lambda: array("d"))
    ended: float = 0.0
    resumptions: int = 0
    error: str | None = None


class Readers:
    """Several processes that share the streams of each run.

    Args:
        pipes: One to each process.
        counts: Characters that each process has received in the run at hand.
    """

    def __init__(self, pipes: Sequence[Pipe], counts: Any) -> None:
        self._pipes = tuple(pipes)
        self._counts = counts

    def begin(self, seeds: Sequence[int]) -> None:
        """Opens a stream for each seed."""
        for index, pipe in enumerate(self._pipes):
            self._counts[index] = 0
            pipe.send(list(seeds[index :: len(self._pipes)]))

    @property
    def characters(self) -> int:
        """Characters that have come in the run at hand."""
        return sum(self._counts)

    @property
    def finished(self) -> bool:
        """Whether every process has ended its part of the run."""
        return all(pipe.poll() for pipe in self._pipes)

    def result(self) -> list[Reading]:
        """Waits for the end of the run; its streams by seed.

        Raises:
            click.ClickException: A process ended unexpectedly.
        """
        readings: list[Reading] = []
        for pipe in self._pipes:
            part = receive(pipe)
            assert isinstance(part, list)  # noqa: S101 (for the type checker)
            readings += part
        return sorted(readings, key=lambda reading: reading.seed)


@contextmanager
def readers(task: Task, processes: int) -> Iterator[Readers]:
    """Starts so many processes, and ends them."""
    context = multiprocessing.get_context("spawn")  # gRPC does not survive a fork
    counts = context.Array("Q", processes, lock=False)
    pairs = [context.Pipe() for _ in range(processes)]
    children = [
        context.Process(target=serve, args=(theirs, task, counts, index), daemon=True)
        for index, (_, theirs) in enumerate(pairs)
    ]
    try:
        for child in children:
            child.start()
        for _, theirs in pairs:
            theirs.close()
        yield Readers([ours for ours, _ in pairs], counts)
    finally:
        for ours, _ in pairs:
            ours.close()
        for child in children:
            if child.pid is not None:
                child.terminate()
                child.join(JOIN_SECONDS)
                child.kill()
                child.join()


def serve(pipe: Pipe, task: Task, counts: Any, index: int) -> None:
    """Reads the streams of each run until the pipe is closed; the main function of a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the parent, which ends this one
    try:
        asyncio.run(_serve(pipe, task, counts, index))
    except (EOFError, BrokenPipeError):
        return


async def _serve(pipe: Pipe, task: Task, counts: Any, index: int) -> None:
    async with AsyncClient(task.target, timeout=task.timeout, balance=task.balance) as client:
        while True:
            seeds = pipe.recv()
            readings = [Reading(seed, time.monotonic()) for seed in seeds]
            await asyncio.gather(*(_read(client, task, reading, counts, index) for reading in readings))
            pipe.send(readings)


async def _read(client: AsyncClient, task: Task, reading: Reading, counts: Any, index: int) -> None:
    texts: list[str] = []
    stream = client.generate(task.prompt, model=task.model, max_chars=task.max_tokens, seed=reading.seed)
    try:
        async for chunk in stream:
            if chunk.text:
                reading.arrivals.append(time.monotonic())
                texts.append(chunk.text)
                counts[index] += len(chunk.text)
        await stream.summary()
    except OstinatoError as error:
        reading.error = f"{type(error).__name__}: {error.message}"
    reading.ended = time.monotonic()
    reading.text = "".join(texts)
    reading.resumptions = stream.resumptions
