"""Closed and open loops.

A closed loop keeps so many requests in flight: the next begins when one ends. An open loop begins requests at times
drawn beforehand (a Poisson process), whatever the server does, and counts every latency from the *intended* start, so
that a stall is charged to all requests that it delayed (no coordinated omission; Tene, "How NOT to Measure Latency").
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Iterator

import grpc

from ostinato_bench.recording import Outcome, Recording
from ostinato_bench.workloads import Call

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[object]]
REJECTIONS = frozenset({grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE})


async def one_request(call: Call, number: int, intended: float, recording: Recording, clock: Clock) -> None:
    """Makes a request and records it; latencies count from its intended start."""
    latest: float | None = None
    try:
        async for tokens in call(number):
            now = clock()
            if latest is None:
                recording.first(now - intended, tokens)
            else:
                recording.more(now - latest, tokens)
            latest = now
    except grpc.RpcError as error:
        code = error.code() if isinstance(error, grpc.aio.AioRpcError) else grpc.StatusCode.UNKNOWN
        recording.ended(Outcome.REJECTED if code in REJECTIONS else Outcome.FAILED, code.name)
    except ConnectionError as error:  # what speaks no gRPC
        recording.ended(Outcome.FAILED, str(error))
    else:
        recording.done(clock() - intended)


async def closed_loop(call: Call, *, concurrency: int, duration: float, clock: Clock) -> tuple[Recording, float]:
    """Keeps ``concurrency`` requests in flight for ``duration`` seconds, then lets them end.

    Returns:
        What was recorded, and the seconds from the first start to the last end.
    """
    recording = Recording()
    numbers = iter(range(2**63))
    start = clock()

    async def worker() -> None:
        while (now := clock()) - start < duration:
            await one_request(call, next(numbers), now, recording, clock)

    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return recording, clock() - start


def arrivals(rate: float, duration: float, seed: int) -> Iterator[float]:
    """Start times of a Poisson process, in seconds from 0: gaps are exponential with mean 1/rate."""
    source = random.Random(seed)
    time = source.expovariate(rate)
    while time < duration:
        yield time
        time += source.expovariate(rate)


async def open_loop(
    call: Call, *, rate: float, duration: float, seed: int, clock: Clock, sleep: Sleep = asyncio.sleep
) -> tuple[Recording, float]:
    """Begins requests at ``rate`` a second for ``duration`` seconds, then lets them end.

    Returns:
        What was recorded, and the seconds from the start to the last end.
    """
    recording = Recording()
    start = clock()
    async with asyncio.TaskGroup() as running:
        for number, offset in enumerate(arrivals(rate, duration, seed)):
            ahead = start + offset - clock()
            if ahead > 0:
                await sleep(ahead)
            running.create_task(one_request(call, number, start + offset, recording, clock))
    return recording, max(clock() - start, math.ulp(1.0))
