"""``ostinato bench memory``: what a stream costs the server that it does not advance, and what many cost the others."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.table import Table

from ostinato_bench.calls import Manner
from ostinato_bench.commands.fairness import limits
from ostinato_bench.commands.load import STREAMS_PER_CONNECTION, in_flight, run
from ostinato_bench.fleet import Fleet, Running, fleet
from ostinato_bench.footprint import KIBIBYTE, Level, kibibytes_a_stream
from ostinato_bench.generator import Load
from ostinato_bench.metrics import RESIDENT, Metrics
from ostinato_bench.options import concurrency_option, processes_option, report_options, seconds_option, whole_numbers
from ostinato_bench.recording import Recording
from ostinato_bench.report import document, plain_table, publish, warnings
from ostinato_bench.statistics import Result
from ostinato_bench.texts import PROMPTS
from ostinato_bench.workloads import Generation
from ostinato_client.cli.options import Connection, described_connection

GAUGES = ("ostinato_requests_running", "ostinato_requests_waiting", "ostinato_requests_parked")
AIM_KIBIBYTES = 32.0
KEPT_AIM = 0.9
OPENED_PER_SECOND = 1000
"""More streams than this at once pile up before the server accepts them, where gRPC itself drops some (CANCELLED)."""

LOOK_SECONDS = 0.1
STALL_SECONDS = 3.0
"""Without a further stream in this time, no more are expected."""


@click.command("memory")
@click.option(
    "--metrics",
    "metrics_url",
    default="http://localhost:9464/metrics",
    show_default=True,
    metavar="URL",
    help="Where the server tells its memory.",
)
@click.option("--model", default="char-lm", show_default=True)
@click.option(
    "--streams",
    callback=whole_numbers,
    metavar="N[,N...]",
    default="64,1000,2000,4000",
    show_default=True,
    help="Streams to open, in rising order; the first is what the others are compared with.",
)
@click.option(
    "--state",
    type=click.Choice(["waiting", "parked"]),
    default="waiting",
    show_default=True,
    help="Whether the streams wait for a slot or for their reader.",
)
@seconds_option("--patience", 60.0, "How long to wait for the server to hold the streams.")
@concurrency_option("64,256,1024", "Requests in flight while throughput is measured.")
@click.option("--max-chars", type=click.IntRange(1), default=200, show_default=True, help="Length of a stream there.")
@seconds_option("--duration", 10.0, "How long requests are begun, a run.")
@processes_option
@described_connection
@report_options(plot=False)
def memory(
    *,
    metrics_url: str,
    model: str,
    streams: tuple[int, ...],
    state: str,
    patience: float,
    concurrency: tuple[int, ...],
    max_chars: int,
    duration: float,
    processes: int,
    connection: Connection,
    json_path: Path | None,
) -> None:
    """Measure the memory of streams that wait or are parked, and the throughput of many.

    The server must let that many in: start it with --max-queue and --max-requests-per-caller above the most streams.
    Memory is the whole process's, so nothing else should use the server.
    """
    metrics = Metrics(metrics_url)
    metrics.resident()
    _, longest = limits(connection, model)
    held = Load(workload=Generation(prompts=PROMPTS, model=model, max_chars=longest), duration=patience, cut=True)
    with fleet(connection, processes) as generators:
        levels = [
            level(generators, metrics, holding(held, count, state, connection, patience), count, state, patience)
            for count in sorted(streams)
        ]
        base = Load(
            workload=Generation(prompts=PROMPTS, model=model, max_chars=max_chars), duration=duration, warm_up=1
        )
        results = [run(generators, in_flight(base, width, connection)) for width in concurrency]
    each = kibibytes_a_stream(levels)
    settings = {
        "target": connection.target,
        "metrics": metrics_url,
        "model": model,
        "state": state,
        "max_chars": max_chars,
        "duration": duration,
        "processes": processes,
    }
    report = document(
        settings,
        levels=[dataclasses.asdict(found) for found in levels],
        kibibytes_per_stream=each,
        results=[dataclasses.asdict(result) for result in results],
    )
    notes = [
        "memory a stream: not known, since the levels hold the same number of streams"
        if each is None
        else f"memory a {state} stream: {each:.1f} KiB by least squares; the aim is at most {AIM_KIBIBYTES:g}",
        *shortfalls(levels),
        *losses(results),
        *warnings(results),
    ]
    publish(report, json_path, memory_table(levels), throughput_table(results), notes=notes)


def holding(load: Load, count: int, state: str, connection: Connection, patience: float) -> Load:
    """The load that opens so many streams and keeps them."""
    manner = Manner(
        connections=-(-count // STREAMS_PER_CONNECTION),
        timeout=max(connection.timeout, patience),
        pause=patience if state == "parked" else 0.0,
    )
    return dataclasses.replace(load, concurrency=count, manner=manner, ramp=count / OPENED_PER_SECOND)


def level(generators: Fleet, metrics: Metrics, load: Load, count: int, state: str, patience: float) -> Level:
    """Opens streams, reads the server's memory once it holds them, and gives them up.

    Raises:
        click.ClickException: The server refuses some, or does not answer.
    """
    running = generators.begin(load)
    found = settled(running, metrics, count, state, patience)
    refused(running.stop(), count)
    end = time.monotonic() + patience
    while sum(metrics.read(*GAUGES).values()) and time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
    return found


def settled(running: Running, metrics: Metrics, count: int, state: str, patience: float) -> Level:
    """The server once it holds so many streams in that state, or no more come, or patience ends."""
    end = time.monotonic() + patience - 2 * LOOK_SECONDS
    most, grew = -1, time.monotonic()
    while True:
        values = metrics.read(*GAUGES, RESIDENT)
        active, waiting, parked = (int(values[name]) for name in GAUGES)
        found = Level(count, active, waiting, parked, values[RESIDENT])
        enough = parked if state == "parked" else found.held
        now = time.monotonic()
        if enough > most:
            most, grew = enough, now
        if enough >= count or now - grew > STALL_SECONDS or running.ready(LOOK_SECONDS) or now >= end:
            return found


def refused(recording: Recording, count: int) -> None:
    """Fails where streams were not let in, which would make the figures of fewer.

    Raises:
        click.ClickException: Some were refused or failed.
    """
    if not recording.reasons:
        return
    told = ", ".join(f"{number} {reason}" for reason, number in recording.reasons.items())
    raise click.ClickException(
        f"the server did not let {count} streams in: {told}; start it with --max-queue {count} and "
        f"--max-requests-per-caller {count + 16} or more"
    )


def memory_table(levels: Sequence[Level]) -> Table:
    """A row a level."""
    rows = plain_table("streams", "running", "waiting", "parked", "resident, MiB", "KiB a stream\nsince the first")
    for each in levels:
        added = each.held - levels[0].held
        grown = (each.resident_bytes - levels[0].resident_bytes) / KIBIBYTE
        rows.add_row(
            str(each.asked),
            str(each.running),
            str(each.waiting),
            str(each.parked),
            f"{each.resident_bytes / KIBIBYTE**2:,.1f}",
            f"{grown / added:.1f}" if added > 0 else "-",
        )
    return rows


def throughput_table(results: Sequence[Result]) -> Table:
    """A row a concurrency."""
    rows = plain_table("load", "characters/s", "of the first", "done", "rejected", "failed", "generator\ncores")
    for each in results:
        rows.add_row(
            each.label,
            f"{each.tokens_per_second:,.0f}",
            f"{share(each, results[0]):.0%}",
            str(each.done),
            str(each.rejected),
            str(each.failed),
            f"{each.generator_cpu_share:.2f}",
        )
    return rows


def share(result: Result, first: Result) -> float:
    """A run's throughput as a share of the first one's."""
    return result.tokens_per_second / first.tokens_per_second if first.tokens_per_second else 0.0


def shortfalls(levels: Sequence[Level]) -> list[str]:
    """Levels that the server did not reach in time."""
    return [
        f"warning: {each.asked} streams were opened, and the server held {each.held} when patience ended"
        for each in levels
        if each.held < each.asked
    ]


def losses(results: Sequence[Result]) -> list[str]:
    """Throughput that falls by more than a tenth."""
    return [
        f"missed: throughput with {each.label} is {share(each, results[0]):.0%} of that with {results[0].label}, "
        "under 90 %"
        for each in results
        if share(each, results[0]) < KEPT_AIM
    ]
