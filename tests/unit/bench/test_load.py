"""Closed and open loops on a clock that only they move."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import grpc
import pytest

from ostinato_bench.load import arrivals, closed_loop, one_request, open_loop
from ostinato_bench.recording import Outcome, Recording


class Time:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)  # whoever is ready runs before time goes on
        self.now += seconds


async def test_a_request_is_timed_from_its_intended_start() -> None:
    time, recording = Time(), Recording()

    async def call(_: int) -> AsyncIterator[int]:
        time.now += 1.0
        yield 1
        time.now += 0.5
        yield 5
        time.now += 0.25

    await one_request(call, 0, intended=98.0, recording=recording, clock=time)
    assert list(recording.time_to_first_token) == [3.0]
    assert list(recording.inter_token_latency) == pytest.approx([0.1] * 5)
    assert list(recording.end_to_end) == [3.75]
    assert (recording.tokens, recording.messages) == (6, 2)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Outcome.REJECTED),
        (grpc.StatusCode.UNAVAILABLE, Outcome.REJECTED),
        (grpc.StatusCode.INTERNAL, Outcome.FAILED),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Outcome.FAILED),
    ],
)
async def test_refusals_are_told_from_failures(code: grpc.StatusCode, outcome: Outcome) -> None:
    recording = Recording()

    async def call(_: int) -> AsyncIterator[int]:
        raise grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())
        yield 1

    await one_request(call, 0, 0.0, recording, Time())
    assert recording.outcomes[outcome] == 1
    assert recording.outcomes[Outcome.DONE] == 0
    assert recording.errors == {code.name: 1}


async def test_a_closed_loop_keeps_its_width_and_every_number_is_its_own() -> None:
    time = Time()
    running, widest, numbers = 0, 0, []

    async def call(number: int) -> AsyncIterator[int]:
        nonlocal running, widest
        numbers.append(number)
        running += 1
        widest = max(widest, running)
        await asyncio.sleep(0)
        time.now += 0.1
        running -= 1
        yield 1

    recording, seconds = await closed_loop(call, concurrency=4, duration=2.0, clock=time)
    assert widest == 4
    assert numbers == list(range(len(numbers)))
    assert recording.outcomes[Outcome.DONE] == len(numbers) >= 20
    assert 2.0 <= seconds < 2.5


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

    async def call(number: int) -> AsyncIterator[int]:
        if number == 0:
            time.now += 3.0  # the server, or this process, stands still
        yield 1

    recording, _ = await open_loop(call, rate=10.0, duration=5.0, seed=3, clock=time, sleep=time.sleep)
    assert recording.outcomes[Outcome.DONE] == len(starts)
    delayed = [start for start in starts if start < starts[0] + 3.0]
    late = [latency for latency in recording.end_to_end if latency > 0.01]
    assert len(late) == pytest.approx(len(delayed), abs=2)
    assert max(late) == pytest.approx(3.0, abs=0.2)
