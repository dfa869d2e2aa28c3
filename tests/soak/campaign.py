"""The soak: right answers, capacity, a warm-up and the long run, each run ending in a quiet server that is counted."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from random import Random

import grpc
from tests.soak.clients import FAST_OPTIONS, SLOW_OPTIONS, Clients, References, Tally
from tests.soak.server import Held, SoakedServer
from tests.soak.trouble import half_open, load, settle, storms, swaps
from tests.soak.work import Answer, Work, responses

from ostinato_bench.load import arrivals

CONNECTIONS = 8
CALIBRATION_CLIENTS = 32
SAMPLE_SECONDS = 1.0
VERSIONS = (1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is done to the server.

    Attributes:
        seconds: How long the run lasts.
        warm_up_seconds: The same of the run before it, after which the server is counted first.
        calibration_seconds: How long its capacity is measured.
        load: Calls that begin, over what it gets done.
        swap_seconds: Between two swaps of versions.
        storm_seconds: Between two storms of connections.
        seed: Seed of all chance.
    """

    seconds: float
    warm_up_seconds: float
    calibration_seconds: float = 5.0
    load: float = 0.8
    swap_seconds: float = 3.0
    storm_seconds: float = 5.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Result:
    """What the soak found.

    Attributes:
        capacity: Calls that the server gets done in a second.
        tally: What became of the requests of the run.
        warm: What the server held after the warm-up, when all was quiet.
        end: The same after the run.
        peak_mib: The most memory that it had in the run.
        faults: What was not as it must be; empty if all is well.
    """

    capacity: float
    tally: Tally
    warm: Held
    end: Held
    peak_mib: float
    faults: list[str]


MARGINS = Held(slots=0, tasks=0, own_threads=0, other_threads=8, descriptors=0, resident_mib=16.0)
"""What the server may hold more after the run than before: nothing of its own. The pools of asyncio and of gRPC's core
grow up to a bound and keep their threads, and pages of memory that hold a little stay whole."""


async def soak(server: SoakedServer, work: list[Work], plan: Plan, tell: Callable[[str], None]) -> Result:
    """Soaks a server whose language model has two versions."""
    random = Random(plan.seed)
    references = await right_answers(server.target, work)
    capacity = await measure_capacity(server.target, Clients(work, references, random), plan.calibration_seconds)
    tell(f"capacity: {capacity:.0f} calls/s")
    rate = plan.load * capacity
    warming = Clients(work, references, random)
    await _run(server, warming, rate, plan.warm_up_seconds, plan, random)
    warm = await _counted(server)
    tell(f"warm: {warm}")
    clients = Clients(work, references, random)
    peak = await _run(server, clients, rate, plan.seconds, plan, random)
    end = await _counted(server)
    faults = [*warming.tally.faults, *clients.tally.faults, *server.faults(), *grown(warm, end)]
    if not clients.tally.verified:
        faults.append("no answer came to its end")
    return Result(capacity, clients.tally, warm, end, peak, faults)


def grown(warm: Held, end: Held) -> list[str]:
    """What a server holds more than it may."""
    return [
        f"{name}: {getattr(warm, name):g} before the run, {getattr(end, name):g} after; allowed is "
        f"{getattr(MARGINS, name):g} more"
        for name in Held.__slots__
        if getattr(end, name) > getattr(warm, name) + getattr(MARGINS, name)
    ]


async def right_answers(target: str, work: list[Work]) -> References:
    """Asks for everything, one request at a time; leaves version 1 of the language model served."""
    work = [each for each in work if not each.parts]
    found: References = {}
    async with grpc.aio.insecure_channel(target) as channel:
        for version in VERSIONS:
            await load(channel, "char-lm", version)
        for each in work:
            for version in VERSIONS if each.model == "char-lm" else VERSIONS[:1]:
                answer = Answer()
                async for response in responses(each.of_version(version), channel, 60.0):
                    answer.add(response)
                assert answer.complete, each.name
                found[each.name, version] = answer.text
    await settle(target)
    for each in work:
        if each.model == "char-lm":
            assert found[each.name, 1] != found[each.name, 2], f"{each.name}: versions cannot be told apart"
    return found


async def measure_capacity(target: str, clients: Clients, seconds: float) -> float:
    """Calls that a closed loop gets done in a second."""
    done = 0
    async with grpc.aio.insecure_channel(target) as channel:
        began = time.monotonic()

        async def ask() -> None:
            nonlocal done
            while time.monotonic() - began < seconds:
                await clients.steady(channel)
                done += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(CALIBRATION_CLIENTS):
                group.create_task(ask())
        return done / (time.monotonic() - began)


async def _run(
    server: SoakedServer, clients: Clients, rate: float, seconds: float, plan: Plan, random: Random
) -> float:
    """Calls at a rate, and everything else that befalls a server; gives the most memory that it had."""
    peak = server.resident_mib()
    async with AsyncExitStack() as stack:
        fast, slow = [
            [
                await stack.enter_async_context(grpc.aio.insecure_channel(server.target, options))
                for _ in range(CONNECTIONS)
            ]
            for options in (FAST_OPTIONS, SLOW_OPTIONS)
        ]
        troubles = [
            asyncio.create_task(each)
            for each in (
                half_open(server.target, random),
                storms(server.target, clients, plan.storm_seconds, random),
                swaps(server.target, plan.swap_seconds, random),
            )
        ]
        began = time.monotonic()
        sampled = began
        async with asyncio.TaskGroup() as group:
            for number, start in enumerate(arrivals(rate, seconds, random.getrandbits(32))):
                await asyncio.sleep(max(0.0, began + start - time.monotonic()))
                group.create_task(clients.any(fast[number % CONNECTIONS], slow[number % CONNECTIONS]))
                if time.monotonic() - sampled > SAMPLE_SECONDS:
                    sampled = time.monotonic()
                    peak = max(peak, server.resident_mib())
        for trouble in troubles:
            await _end(trouble, clients.tally)
    await settle(server.target)
    return peak


async def _end(trouble: asyncio.Task[None], tally: Tally) -> None:
    if trouble.done():
        tally.fault(f"a trouble ended by itself: {trouble.exception()!r}")
        return
    trouble.cancel()
    with suppress(asyncio.CancelledError):
        await trouble


async def _counted(server: SoakedServer) -> Held:
    gc.collect()  # calls and channels here refer to one another, and hold connections until they are collected
    await server.quiet()
    return await server.held()
