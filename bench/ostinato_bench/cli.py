"""``ostinato bench``: put load on a running server and measure it from outside."""

from __future__ import annotations

import asyncio
import functools
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import grpc
from rich.console import Console

from ostinato_bench.load import closed_loop, open_loop
from ostinato_bench.progress import progress
from ostinato_bench.recording import Result, summarise
from ostinato_bench.report import document, table
from ostinato_bench.workloads import Call, Workload, generation, sentiment, translation

TEXTS = (
    "A warm, funny and beautifully acted film.",
    "A dull and lifeless mess.",
    "The story is not good.",
    "One of the best movies of the year, and one of the strangest.",
)
SENTENCES = ("I love you.", "Where is the station?", "She does not speak French.", "We are going to the market today.")


def whole_numbers(_: click.Context, __: click.Parameter, value: str) -> tuple[int, ...]:
    """Whole numbers above 0 with commas between them.

    Raises:
        click.BadParameter: One is no whole number above 0.
    """
    try:
        numbers = tuple(int(part) for part in value.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise click.BadParameter(f"{value!r} is not a list of whole numbers above 0, as 1,16,64 is.")
    return numbers


def load_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that every load has."""
    options = (
        click.option(
            "--target",
            default="localhost:50051",
            show_default=True,
            envvar="OSTINATO_TARGET",
            show_envvar=True,
            metavar="HOST:PORT",
            help="The server.",
        ),
        click.option(
            "--concurrency",
            callback=whole_numbers,
            metavar="N[,N...]",
            default="1,16,64",
            show_default=True,
            help="Requests in flight, a run each.",
        ),
        click.option(
            "--rate",
            type=click.FloatRange(0, min_open=True),
            help="Open loop: begin this many requests a second (Poisson) instead.",
        ),
        click.option(
            "--duration",
            type=click.FloatRange(0, min_open=True),
            default=10.0,
            show_default=True,
            help="Seconds to begin requests, a run.",
        ),
        click.option("--warm-up", type=click.IntRange(0), default=4, show_default=True, help="Requests not counted."),
        click.option(
            "--timeout",
            type=click.FloatRange(0, min_open=True),
            default=60.0,
            show_default=True,
            help="Seconds allowed for a request.",
        ),
        click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Seed of the arrivals."),
        click.option(
            "--json",
            "json_path",
            type=click.Path(dir_okay=False, writable=True, allow_dash=True, path_type=Path),
            metavar="FILE",
            help="Write the results there too; - prints them instead of the table.",
        ),
    )
    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


@click.group()
def bench() -> None:
    """Put load on a running server and measure it from this process."""


@bench.command("generate")
@click.option("--model", default="char-lm", show_default=True)
@click.option("--prompt", default="ROMEO:", show_default=True)
@click.option("--max-chars", type=click.IntRange(1), default=200, show_default=True, help="Length of a stream.")
@click.option("--temperature", type=click.FloatRange(0, 100), default=0.8, show_default=True)
@load_options
def bench_generate(*, model: str, prompt: str, max_chars: int, temperature: float, timeout: float, **load: Any) -> None:
    """Load it with streams of characters."""
    workload = generation(prompt=prompt, model=model, max_chars=max_chars, temperature=temperature, timeout=timeout)
    measure(workload, settings={"model": model, "prompt": prompt, "max_chars": max_chars}, **load)


@bench.command("sentiment")
@click.option("--model", default="sentiment", show_default=True)
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Texts in a request.")
@load_options
def bench_sentiment(*, model: str, batch: int, timeout: float, **load: Any) -> None:
    """Load it with texts to score."""
    workload = sentiment(texts=TEXTS, model=model, batch=batch, timeout=timeout)
    measure(workload, settings={"model": model, "batch": batch}, **load)


@bench.command("translate")
@click.option("--model", default="translation-en-fr", show_default=True)
@click.option("--beam-size", type=click.IntRange(1), default=1, show_default=True)
@click.option("--attention/--no-attention", default=True, show_default=True, help="Ask for the attention rows.")
@load_options
def bench_translate(*, model: str, beam_size: int, attention: bool, timeout: float, **load: Any) -> None:
    """Load it with sentences to translate."""
    workload = translation(sentences=SENTENCES, model=model, beam_size=beam_size, attention=attention, timeout=timeout)
    measure(workload, settings={"model": model, "beam_size": beam_size, "attention": attention}, **load)


def measure(
    workload: Workload,
    *,
    settings: dict[str, Any],
    target: str,
    concurrency: tuple[int, ...],
    rate: float | None,
    duration: float,
    warm_up: int,
    seed: int,
    json_path: Path | None,
) -> None:
    """Runs a workload and reports it.

    Raises:
        click.ClickException: The server does not answer the warm-up, or no request finished.
    """
    results = asyncio.run(
        run_all(workload, target, concurrency=concurrency, rate=rate, duration=duration, warm_up=warm_up, seed=seed)
    )
    report = document(results, {**settings, "target": target, "duration": duration, "seed": seed})
    if json_path is not None and str(json_path) == "-":
        click.echo(json.dumps(report))
    else:
        Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table(results, workload.unit))
        if json_path is not None:
            json_path.write_text(json.dumps(report, indent=2) + "\n")
    if not any(result.done for result in results):
        reasons = ", ".join(sorted({reason for result in results for reason in result.errors}))
        raise click.ClickException(f"{target}: no request finished: {reasons}")


async def run_all(
    workload: Workload,
    target: str,
    *,
    concurrency: Sequence[int],
    rate: float | None,
    duration: float,
    warm_up: int,
    seed: int,
) -> list[Result]:
    """One run a concurrency in closed loop, or one run in open loop."""
    # Retries would hide rejections, which are among the figures.
    async with grpc.aio.insecure_channel(target, options=[("grpc.enable_retries", 0)]) as channel:
        call = workload.prepare(channel)
        await warm(call, target, warm_up)
        if rate is not None:
            async with progress(f"{rate:g} requests a second", duration):
                recording, seconds = await open_loop(
                    call, rate=rate, duration=duration, seed=seed, clock=time.perf_counter
                )
            return [summarise(recording, task=workload.task, concurrency=0, rate=rate, seconds=seconds)]
        results = []
        for width in concurrency:
            async with progress(f"{width} in flight", duration):
                recording, seconds = await closed_loop(
                    call, concurrency=width, duration=duration, clock=time.perf_counter
                )
            results.append(summarise(recording, task=workload.task, concurrency=width, rate=None, seconds=seconds))
        return results


async def warm(call: Call, target: str, requests: int) -> None:
    """Makes a few requests before the clock starts.

    Raises:
        click.ClickException: One failed.
    """
    for number in range(requests):
        try:
            async for _ in call(number):
                pass
        except grpc.aio.AioRpcError as error:
            raise click.ClickException(f"{target}: {error.details() or error.code().name}") from error
