"""Closed and open loops on a clock that only they move."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator

import grpc
import pytest

from ostinato_bench.load import BACK_OFF_SECONDS, Call, Loop, arrivals
from ostinato_bench.recording import Outcome, Recording


class Time:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)  # whoever is ready runs before time goes on
        self.slept.append(seconds)
        self.now += seconds


def loop(call: Call, time: Time, window: float = 10.0) -> tuple[Loop, Recording]:
    recording = Recording(window)
    return Loop(call, recording, itertools.count(), clock=time, sleep=time.sleep), recording


async def test_a_request_is_timed_from_its_intended_start() -> None:
    time = Time()

    async def call(_: int) -> AsyncGenerator[int, None]:
        time.now += 1.0
        yield 1
        time.now += 0.5
        yield 5
        time.now += 0.25

    requests, recording = loop(call, time)
    assert await requests.request(98.0) == 0
    assert list(recording.start_delays) == [2.0]
    assert list(recording.time_to_first_token) == [3.0]
    assert (list(recording.gaps), list(recording.gap_tokens)) == ([0.5], [5])
    assert list(recording.end_to_end) == [3.75]
    assert list(recording.finished_at) == [1.75]
    assert (recording.tokens, recording.messages, recording.all_tokens) == (6, 2, 6)


async def test_what_comes_after_the_window_is_in_no_rate() -> None:
    time = Time()

    async def call(_: int) -> AsyncGenerator[int, None]:
        yield 2
        time.now += 11.0
        yield 3

    requests, recording = loop(call, time, window=10.0)
    await requests.request(100.0)
    assert (recording.tokens, recording.messages, recording.all_tokens) == (2, 1, 5)
    assert list(recording.gaps) == [11.0]


async def test_a_request_that_fails_is_no_finished_one_and_backs_off() -> None:
    time = Time()

    async def call(_: int) -> AsyncGenerator[int, None]:
        time.now += 0.5
        raise grpc.aio.AioRpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.aio.Metadata(), grpc.aio.Metadata())
        yield 1

    requests, recording = loop(call, time)
    assert await requests.request(100.0) == BACK_OFF_SECONDS
    assert recording.outcomes == {Outcome.DONE: 0, Outcome.REJECTED: 1, Outcome.FAILED: 0}
    assert list(recording.refusals) == [0.5]
    assert list(recording.end_to_end) == []


async def test_a_status_that_stands_for_our_own_cancellation_is_not_the_servers() -> None:
    async def call(_: int) -> AsyncGenerator[int, None]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise grpc.aio.AioRpcError(grpc.StatusCode.CANCELLED, grpc.aio.Metadata(), grpc.aio.Metadata()) from None
        yield 1

    requests, recording = loop(call, Time())
    task = asyncio.create_task(requests.request(100.0))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert recording.reasons == {}


async def test_a_closed_loop_keeps_its_width_and_every_number_is_its_own() -> None:
    time = Time()
    running, widest, numbers = 0, 0, []

    async def call(number: int) -> AsyncGenerator[int, None]:
        nonlocal running, widest
        numbers.append(number)
        running += 1
        widest = max(widest, running)
        await asyncio.sleep(0)
        time.now += 0.1
        running -= 1
        yield 1

    requests, recording = loop(call, time)
    await requests.closed(4, 2.0)
    assert widest == 4
    assert numbers == list(range(len(numbers)))
    assert recording.outcomes[Outcome.DONE] == len(numbers) >= 20
    assert 102.0 <= time.now < 102.5


async def test_a_closed_loop_begins_over_its_ramp() -> None:
    time = Time()

    async def call(_: int) -> AsyncGenerator[int, None]:
        time.now += 100.0
        yield 1

    requests, _ = loop(call, time)
    await requests.closed(4, 1.0, ramp=2.0)
    assert time.slept == [0.0, 0.5, 1.0, 1.5]


def test_arrivals_are_poisson_and_the_same_for_the_same_seed() -> None:
    times = list(arrivals(50.0, 100.0, seed=1))
    assert times == list(arrivals(50.0, 100.0, seed=1))
    assert times != list(arrivals(50.0, 100.0, seed=2))
    assert times == sorted(times)
    assert len(times) == pytest.approx(5000, rel=0.05)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert variance == pytest.approx(mean**2, rel=0.1), "exponential gaps: the deviation is the mean"


async def test_an_open_loop_charges_a_stall_to_every_request_that_it_delayed() -> None:
    time = Time()
    starts = list(arrivals(10.0, 5.0, seed=3))

    async def call(number: int) -> AsyncGenerator[int, None]:
        if number == 0:
            time.now += 3.0  # the server, or this process, stands still
        yield 1

    requests, recording = loop(call, time)
    await requests.open(starts)
    assert recording.outcomes[Outcome.DONE] == len(starts)
    delayed = [start for start in starts if start < starts[0] + 3.0]
    late = [latency for latency in recording.end_to_end if latency > 0.01]
    assert len(late) == pytest.approx(len(delayed), abs=2)
    assert max(late) == pytest.approx(3.0, abs=0.2)
