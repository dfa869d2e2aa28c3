"""``ostinato bench generate | sentiment | translate``: a load, and how the server does under it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ostinato_bench.calls import Manner
from ostinato_bench.fleet import Fleet, fleet
from ostinato_bench.generator import Load
from ostinato_bench.options import (
    concurrency_option,
    input_option,
    numbers,
    processes_option,
    report_options,
    seconds_option,
    seed_option,
    warm_up_option,
)
from ostinato_bench.plotting import plotter
from ostinato_bench.progress import watched
from ostinato_bench.report import document, publish, remarks, table
from ostinato_bench.statistics import Result, summarise
from ostinato_bench.texts import PROMPTS, SENTENCES, TEXTS
from ostinato_bench.workloads import Generation, Sentiment, Translation, Workload
from ostinato_client.cli.options import TEXT, Connection, described_connection
from ostinato_client.cli.standard_input import given_text

STREAMS_PER_CONNECTION = 256
"""In closed loop; a server takes so many calls a connection, and lets the others wait unseen."""

OPEN_CONNECTIONS = 8
"""In open loop, where nobody knows how many requests will be in flight."""

Command = Callable[..., None]


def load_options(command: Command) -> Command:
    """Adds the options that every load has."""
    options = (
        concurrency_option("1,16,64,256", "Closed loop: requests in flight, a run each."),
        click.option(
            "--rate",
            "rates",
            callback=numbers,
            metavar="R[,R...]",
            help="Open loop instead: begin so many requests a second (Poisson), a run each.",
        ),
        seconds_option("--duration", 10.0, "How long requests are begun, a run."),
        warm_up_option,
        seed_option,
        processes_option,
        input_option,
        described_connection,
        report_options(plot=True),
    )
    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


@click.command("generate")
@click.option("--model", default="char-lm", show_default=True)
@click.option(
    "--prompt", type=TEXT, default=PROMPTS[0], show_default=True, help="Text to continue; - reads standard input."
)
@click.option("--max-chars", type=click.IntRange(1), default=200, show_default=True, help="Length of a stream.")
@click.option("--temperature", type=click.FloatRange(0, 100), default=0.8, show_default=True)
@load_options
def generate(
    *, texts: tuple[str, ...], prompt: str, model: str, max_chars: int, temperature: float, **load: Any
) -> None:
    """Load it with streams of characters."""
    given = given_text(prompt)
    workload = Generation(prompts=texts or (given,), model=model, max_chars=max_chars, temperature=temperature)
    measure(workload, **load)


@click.command("sentiment")
@click.option("--model", default="sentiment", show_default=True)
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Texts in a request.")
@load_options
def sentiment(*, texts: tuple[str, ...], model: str, batch: int, **load: Any) -> None:
    """Load it with texts to score."""
    measure(Sentiment(texts=texts or TEXTS, model=model, batch=batch), **load)


@click.command("translate")
@click.option("--model", default="translation-en-fr", show_default=True)
@click.option("--beam-size", type=click.IntRange(1), default=1, show_default=True)
@click.option("--attention/--no-attention", default=True, show_default=True, help="Ask for the attention rows.")
@load_options
def translate(*, texts: tuple[str, ...], model: str, beam_size: int, attention: bool, **load: Any) -> None:
    """Load it with sentences to translate."""
    workload = Translation(sentences=texts or SENTENCES, model=model, beam_size=beam_size, attention=attention)
    measure(workload, **load)


def measure(
    workload: Workload,
    *,
    connection: Connection,
    concurrency: tuple[int, ...],
    rates: tuple[float, ...],
    duration: float,
    warm_up: int,
    seed: int,
    processes: int,
    json_path: Path | None,
    plot_path: Path | None,
) -> None:
    """Runs a workload and reports it.

    Raises:
        click.ClickException: The server does not answer the warm-up, or no request finished.
    """
    draw = plotter("latency") if plot_path is not None else None  # says what is missing before the server has work
    base = Load(workload=workload, duration=duration, warm_up=warm_up, seed=seed)
    loads = [at_rate(base, rate, connection) for rate in rates] or [
        in_flight(base, width, connection) for width in concurrency
    ]
    with fleet(connection, processes) as generators:
        results = [run(generators, load) for load in loads]
    settings = {
        **dataclasses.asdict(workload),  # type: ignore[call-overload]
        "target": connection.target,
        "timeout": connection.timeout,
        "duration": duration,
        "warm_up": warm_up,
        "seed": seed,
        "processes": processes,
    }
    report = document(settings, results=[dataclasses.asdict(each) for each in results])
    publish(report, json_path, table(results, workload.unit), notes=remarks(results))
    if draw is not None and plot_path is not None:
        draw(results, workload.unit, plot_path)
    fail_if_idle(results, connection.target)


def in_flight(load: Load, concurrency: int, connection: Connection) -> Load:
    """The load as a closed loop."""
    connections = -(-concurrency // STREAMS_PER_CONNECTION)
    manner = Manner(connections=connections, timeout=connection.timeout)
    return dataclasses.replace(load, concurrency=concurrency, rate=None, manner=manner)


def at_rate(load: Load, rate: float, connection: Connection, *, timeout: float | None = None) -> Load:
    """The load as an open loop; a request may take as long as the connection says unless told otherwise."""
    manner = Manner(connections=OPEN_CONNECTIONS, timeout=timeout or connection.timeout)
    return dataclasses.replace(load, concurrency=None, rate=rate, manner=manner)


def run(generators: Fleet, load: Load) -> Result:
    """Runs a load and gives its figures.

    Raises:
        click.ClickException: The server does not answer the warm-up.
    """
    label = f"{load.rate:g} requests a second" if load.rate is not None else f"{load.concurrency} in flight"
    recording = watched(generators, load, label)
    return summarise(recording, task=load.workload.task, concurrency=load.concurrency, rate=load.rate)


def fail_if_idle(results: Sequence[Result], target: str) -> None:
    """Fails where nothing was measured.

    Raises:
        click.ClickException: No request finished.
    """
    if not any(result.done for result in results):
        reasons = ", ".join(sorted({reason for result in results for reason in result.reasons})) or "none was made"
        raise click.ClickException(f"{target}: no request finished: {reasons}")
