"""Closed and open loops.

A closed loop keeps so many requests in flight: the next begins when one ends, so a server that stalls is asked less.
That is what so many patient users see, and no more: its percentiles say nothing of the requests that a stall kept from
being made. An open loop begins requests at times drawn beforehand (a Poisson process), whatever the server does, and
counts every latency from the *intended* start, so that a stall is charged to all requests that it delayed (no
coordinated omission; Tene, "How NOT to Measure Latency").
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing

import grpc

from ostinato_bench.recording import Recording
from ostinato_bench.refusals import ending

Call = Callable[[int], AsyncGenerator[int, None]]
"""Makes the request of a number, and gives the count of tokens in each message with output."""

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[object]]

BACK_OFF_SECONDS = 0.1
"""Before a closed loop goes on after a request that failed, or was rejected without a RetryInfo."""


class Loop:
    """Makes requests and records them.

    Args:
        call: Makes a request.
        recording: Where samples go.
        numbers: The requests' numbers, in order.
        clock: Tells the time, in seconds.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        call: Call,
        recording: Recording,
        numbers: Iterable[int],
        *,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._call = call
        self._recording = recording
        self._numbers = iter(numbers)
        self._clock = clock
        self._sleep = sleep
        self._start = clock()

    async def closed(self, concurrency: int, duration: float, ramp: float = 0.0) -> None:
        """Keeps so many requests in flight for ``duration`` seconds, then lets them end.

        A client that was refused comes back when the RetryInfo says so.

        Args:
            concurrency: Requests in flight.
            duration: Seconds in which requests begin.
            ramp: Seconds over which the first ones begin.
        """

        async def worker(index: int) -> None:
            if ramp:
                await self._sleep(ramp * index / concurrency)
            while (now := self._clock()) - self._start < duration:
                wait = await self.request(now)
                left = self._start + duration - self._clock()
                if wait and left > 0:
                    await self._sleep(min(wait, left))

        async with asyncio.TaskGroup() as workers:
            for index in range(concurrency):
                workers.create_task(worker(index))

    async def open(self, starts: Iterable[float]) -> None:
        """Begins requests at these times, in seconds from now, then lets them end."""
        async with asyncio.TaskGroup() as running:
            for start in starts:
                ahead = self._start + start - self._clock()
                if ahead > 0:
                    await self._sleep(ahead)
                running.create_task(self.request(self._start + start))

    async def request(self, intended: float) -> float:
        """Makes a request; latencies count from its intended start.

        Returns:
            Seconds to wait before the next one; 0 unless it was rejected or failed.
        """
        recording, clock, start = self._recording, self._clock, self._start
        recording.start_delays.append(clock() - intended)
        latest: float | None = None
        try:
            async with aclosing(self._call(next(self._numbers))) as answer:
                async for tokens in answer:
                    now = clock()
                    if latest is None:
                        recording.arrived(now - start, tokens, first=now - intended)
                    else:
                        recording.arrived(now - start, tokens, gap=now - latest)
                    latest = now
        except (grpc.RpcError, ConnectionError) as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError from error  # grpc.aio told of our own cancellation as a status
            how = ending(error)
            recording.ended(how, clock() - intended)
            return how.retry_seconds or BACK_OFF_SECONDS
        now = clock()
        recording.done(now - start, now - intended)
        return 0.0


def arrivals(rate: float, duration: float, seed: int) -> Iterator[float]:
    """Start times of a Poisson process, in seconds from 0: gaps are exponential with mean 1/rate."""
    source = random.Random(seed)
    time = source.expovariate(rate)
    while time < duration:
        yield time
        time += source.expovariate(rate)
