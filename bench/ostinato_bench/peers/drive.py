"""The load: a process of its own that asks one server for everything and prints what it saw as JSON.

python -m ostinato_bench.peers.drive --kind triton --target 127.0.0.1:8001
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import hashlib
import itertools
import json
import time
from collections.abc import AsyncGenerator
from typing import Any

import click
import grpc

from ostinato_bench.load import Call, Loop
from ostinato_bench.peers.callers import CALLERS, Caller, OstinatoCaller
from ostinato_bench.recording import Recording
from ostinato_bench.statistics import summarise

CHARACTERS = 500
STREAMS = 64
CALLS = 64
BATCH = 64
POLL_SECONDS = 0.2
SENTENCES = ("I love you.", "Where is the station?", "She does not speak French.", "We are going to the market today.")
FILM = (
    "this film is a warm and funny story of two people who never quite learn what they want from each other , "
    "and although the plot is thin the acting is good enough that one hardly cares until the slow and rather "
    "dull last part when the director seems to lose all interest in the people that he made us like so well"
)
TEXTS = tuple(f"{FILM[place:].lstrip()} {FILM[:place].rstrip()}" for place, each in enumerate(FILM) if each == " ")
"""Texts of 63 tokens, none equal to another."""


def streams(caller: Caller, characters: int) -> Call:
    """Streams of so many characters; the request's number is its seed."""

    async def call(number: int) -> AsyncGenerator[int]:
        received = 0
        async for piece in caller.generate(number, characters):
            received += len(piece)
            yield len(piece)
        if received != characters:
            raise ConnectionError(f"{received} characters instead of {characters}")

    return call


def texts(caller: Caller, batch: int) -> Call:
    """Calls with so many texts, taken in turn."""

    async def call(number: int) -> AsyncGenerator[int]:
        chosen = [TEXTS[(number * batch + offset) % len(TEXTS)] for offset in range(batch)]
        yield len(await caller.classify(chosen))

    return call


def translations(caller: OstinatoCaller) -> Call:
    """Sentences, taken in turn."""

    def call(number: int) -> AsyncGenerator[int]:
        return caller.translate(SENTENCES[number % len(SENTENCES)])

    return call


async def until_ready(caller: Caller, seconds: float) -> None:
    """Asks both models until they answer.

    Raises:
        click.ClickException: They do not in time.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            async for _ in caller.generate(1, 2):
                pass
            await caller.classify([TEXTS[0]])
        except (OSError, grpc.RpcError, ValueError) as error:
            if time.monotonic() > end:
                reason = error.details() if isinstance(error, grpc.aio.AioRpcError) else str(error)
                raise click.ClickException(f"not ready after {seconds:g} s: {reason}") from error
            await asyncio.sleep(POLL_SECONDS)
        else:
            return


async def measure(name: str, call: Call, concurrency: int, seconds: float, warm_up: float) -> dict[str, Any]:
    """One run in closed loop, after a shorter one that is not counted."""
    numbers = itertools.count()
    await Loop(call, Recording(warm_up), numbers, clock=time.perf_counter).closed(concurrency, warm_up)
    gc.collect()
    gc.freeze()  # its own pauses are not to be taken for the server's
    recording = Recording(seconds)
    start, cpu = time.perf_counter(), time.process_time()
    await Loop(call, recording, numbers, clock=time.perf_counter).closed(concurrency, seconds)
    recording.seconds = time.perf_counter() - start
    recording.cpu_share = recording.loop_share = (time.process_time() - cpu) / recording.seconds
    return dataclasses.asdict(summarise(recording, task=name, concurrency=concurrency))


async def drive(kind: str, target: str, seconds: float, wait: float) -> dict[str, Any]:
    """Everything that one server is asked for, by the name of the run."""
    caller = CALLERS[kind](target)
    start = time.perf_counter()
    await until_ready(caller, wait)
    ready = time.perf_counter() - start
    pieces = [piece async for piece in caller.generate(7, CHARACTERS)]
    text = "".join(pieces)
    found: dict[str, Any] = {
        "ready_seconds": ready,
        "characters": len(text),
        "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "positive_probability": (await caller.classify([TEXTS[0]]))[0],
    }
    streaming = streams(caller, CHARACTERS)
    # Warm-ups are begun for an instant: each runs one request per place to its end.
    found["generation_1"] = await measure("generation", streaming, 1, seconds / 2, 0.001)
    found["generation_64"] = await measure("generation", streaming, STREAMS, seconds, 0.001)
    found["sentiment_64"] = await measure("sentiment", texts(caller, 1), CALLS, seconds / 2, 0.5)
    if kind == "ostinato" and isinstance(caller, OstinatoCaller):
        found["sentiment_batches"] = await measure("sentiment", texts(caller, BATCH), 2, seconds / 2, 0.5)
        found["translation_1"] = await measure("translation", translations(caller), 1, seconds / 3, 0.2)
        found["translation_64"] = await measure("translation", translations(caller), CALLS, seconds / 3, 0.2)
    await caller.close()
    return found


@click.command()
@click.option("--kind", type=click.Choice(sorted(CALLERS)), required=True, help="What the server speaks.")
@click.option("--target", required=True, metavar="HOST:PORT", help="The server.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=8.0, show_default=True, help="A run.")
@click.option("--wait", type=click.FloatRange(0), default=20.0, show_default=True, help="Seconds to become ready.")
def main(kind: str, target: str, seconds: float, wait: float) -> None:
    """Put the load on one server."""
    click.echo(json.dumps(asyncio.run(drive(kind, target, seconds, wait))))


if __name__ == "__main__":
    main()
