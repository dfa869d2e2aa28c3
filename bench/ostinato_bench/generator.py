"""A process that generates load: it does what it is sent, and sends back what it recorded."""

from __future__ import annotations

import asyncio
import gc
import itertools
import math
import signal
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe

import grpc

from ostinato_bench.calls import Manner, caller, open_channels
from ostinato_bench.load import Loop, arrivals
from ostinato_bench.recording import Recording
from ostinato_bench.workloads import Workload
from ostinato_client.cli.failures import describe
from ostinato_client.cli.options import Connection
from ostinato_client.statuses import error_from_call

LAG_INTERVAL_SECONDS = 0.01
"""How often the event loop's lateness is sampled."""

CONNECT_SECONDS = 10.0
"""Allowed for the connections to stand."""

FIRST_COUNTED = 1_000_000
"""Numbers of a warm-up's requests are below this one, so that none is made twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One run, or a generator's part of it: a closed loop with a concurrency, an open one with a rate.

    Attributes:
        workload: What is asked for.
        manner: How.
        duration: Seconds in which requests begin.
        concurrency: Requests in flight.
        rate: Requests begun a second.
        seed: Seed of the arrivals.
        warm_up: Requests made before, and not counted.
        ramp: Seconds over which the first requests of a closed loop begin.
        cut: Whether requests that run at the end are given up; they are let end otherwise.
        first: Number of the first request.
        stride: From a request's number to the next one's.
    """

    workload: Workload
    manner: Manner = field(default_factory=Manner)
    duration: float
    concurrency: int | None = None
    rate: float | None = None
    seed: int = 1
    warm_up: int = 0
    ramp: float = 0.0
    cut: bool = False
    first: int = FIRST_COUNTED
    stride: int = 1


@dataclass(frozen=True, slots=True)
class Refused:
    """Says that a run could not begin.

    Attributes:
        reason: Why, in a line.
    """

    reason: str


READY = "ready"
"""Sent when a generator is connected and warm; the answer is when to begin, on the clock of `time.perf_counter`."""


def serve(pipe: Pipe, connection: Connection) -> None:
    """Runs what comes through the pipe until it is closed; the main function of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the parent, which ends this one
    with asyncio.Runner() as runner:  # one event loop for all runs: grpc.aio keeps to its first
        while True:
            try:
                pipe.send(runner.run(_run(pipe.recv(), connection, pipe)))
            except (EOFError, BrokenPipeError):
                return
            except TimeoutError:
                pipe.send(Refused(f"{connection.target}: cannot connect within {CONNECT_SECONDS:g} s"))
            except grpc.RpcError as error:
                pipe.send(Refused(describe(error_from_call(error), connection.target)))
            except (ValueError, OSError) as error:
                pipe.send(Refused(str(error)))


async def _run(load: Load, connection: Connection, pipe: Pipe) -> Recording:
    async with AsyncExitStack() as stack:
        channels = open_channels(connection, load.manner)
        for channel in channels:
            await stack.enter_async_context(channel)
        call = caller(channels, connection, load.workload, load.manner)
        for number in range(load.warm_up):
            async for _ in call(number):
                pass
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.gather(*(channel.channel_ready() for channel in channels))
        gc.collect()
        gc.freeze()  # its own pauses are not to be taken for the server's
        pipe.send(READY)
        begin: float = pipe.recv()
        await asyncio.sleep(begin - time.perf_counter())
        recording = Recording(load.duration)
        loop = Loop(call, recording, itertools.count(load.first, load.stride), clock=time.perf_counter)
        await measured(loop, load, recording, asyncio.timeout(load.duration if load.cut else None), pipe)
        return recording


async def measured(loop: Loop, load: Load, recording: Recording, limit: asyncio.Timeout, pipe: Pipe) -> None:
    """Runs a load, and notes what it took this process; what comes through the pipe, or its end, cuts it short."""
    events = asyncio.get_running_loop()

    def stop() -> None:
        events.remove_reader(pipe.fileno())
        with suppress(EOFError):
            pipe.recv()
        limit.reschedule(events.time())

    start, cpu, thread = time.perf_counter(), time.process_time(), time.thread_time()
    watching = asyncio.create_task(_watch(recording))
    try:
        async with limit:
            events.add_reader(pipe.fileno(), stop)
            if load.rate is not None:
                await loop.open(arrivals(load.rate, load.duration, load.seed))
            else:
                await loop.closed(load.concurrency or 1, load.duration, load.ramp)
    except TimeoutError:
        pass
    finally:
        events.remove_reader(pipe.fileno())
        watching.cancel()
    recording.seconds = max(time.perf_counter() - start, math.ulp(1.0))
    recording.cpu_share = (time.process_time() - cpu) / recording.seconds
    recording.loop_share = (time.thread_time() - thread) / recording.seconds


async def _watch(recording: Recording) -> None:
    """Samples how late the event loop wakes up."""
    while True:
        due = time.perf_counter() + LAG_INTERVAL_SECONDS
        await asyncio.sleep(LAG_INTERVAL_SECONDS)
        recording.lags.append(max(time.perf_counter() - due, 0.0))
