"""``ostinato bench overload``: what is left of a server that is offered more than it can do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import click
from rich.table import Table

from ostinato_bench.commands.load import at_rate, fail_if_idle, in_flight
from ostinato_bench.fleet import fleet
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
from ostinato_bench.overloading import Point, capacity, point, shares_of_peak
from ostinato_bench.plotting import plotter
from ostinato_bench.progress import watched
from ostinato_bench.report import document, one, plain_table, publish, warnings
from ostinato_bench.statistics import distribution
from ostinato_bench.texts import PROMPTS, SENTENCES, TEXTS
from ostinato_bench.workloads import Generation, Sentiment, Translation, Workload
from ostinato_client.cli.options import Connection, described_connection

PATIENCE = 5.0
"""The deadline, where none is stated, over the median of a request at capacity."""

GOODPUT_AIM = 0.9
REFUSAL_AIM_SECONDS = 0.05


@click.command("overload")
@click.option(
    "--task", type=click.Choice(["generate", "sentiment", "translate"]), default="generate", show_default=True
)
@click.option("--model", help="Name of the model.  [default: the task's shipped one]")
@click.option("--max-chars", type=click.IntRange(1), default=200, show_default=True, help="Length of a stream.")
@concurrency_option("16,64,128", "Requests in flight while capacity is looked for; the best counts.")
@click.option(
    "--factors",
    callback=numbers,
    metavar="F[,F...]",
    default="0.5,1,2,5,10",
    show_default=True,
    help="Loads to offer, as multiples of capacity.",
)
@seconds_option("--deadline", None, "Of every request; the server is told.  [default: 5 x the median at capacity]")
@seconds_option("--duration", 10.0, "How long requests are begun, a run.")
@warm_up_option
@seed_option
@processes_option
@input_option
@described_connection
@report_options(plot=True)
def overload(
    *,
    task: str,
    model: str | None,
    max_chars: int,
    concurrency: tuple[int, ...],
    factors: tuple[float, ...],
    deadline: float | None,
    duration: float,
    warm_up: int,
    seed: int,
    processes: int,
    texts: tuple[str, ...],
    connection: Connection,
    json_path: Path | None,
    plot_path: Path | None,
) -> None:
    """Find what it can do, offer more, and count what is done in time.

    Capacity is the most requests a second that a closed loop finishes. Then requests begin at multiples of it whatever
    the server does (Poisson), each with a deadline. Goodput is what finishes within the deadline.
    """
    draw = plotter("overload") if plot_path is not None else None
    work = workload(task, model, max_chars, texts)
    base = Load(workload=work, duration=duration, warm_up=warm_up, seed=seed)
    with fleet(connection, processes) as generators:
        probes = {
            width: watched(generators, in_flight(base, width, connection), f"{width} in flight")
            for width in concurrency
        }
        width = max(probes, key=lambda each: capacity(probes[each]))
        able, median = capacity(probes[width]), distribution(probes[width].end_to_end).p50
        if not able or median is None:
            reasons = ", ".join(probes[width].reasons) or "none ended"
            raise click.ClickException(f"{connection.target}: no request finished: {reasons}")
        allowed = deadline if deadline is not None else float(f"{PATIENCE * median:.2g}")
        points = []
        for factor in factors:
            load = at_rate(base, factor * able, connection, timeout=allowed)
            recording = watched(generators, load, f"{factor:g} x capacity")
            points.append(point(recording, factor=factor, rate=factor * able, deadline=allowed, task=task))
    settings = {
        **dataclasses.asdict(work),  # type: ignore[call-overload]
        "target": connection.target,
        "capacity_requests_per_second": able,
        "capacity_concurrency": width,
        "deadline_seconds": allowed,
        "duration": duration,
        "seed": seed,
        "processes": processes,
    }
    report = document(settings, points=[dataclasses.asdict(each) for each in points])
    notes = [
        f"capacity: {able:,.1f} requests a second (closed loop, {width} in flight), "
        f"deadline: {allowed:g} s, runs of {duration:g} s",
        *verdicts(points),
        *warnings([each.result for each in points]),
    ]
    publish(report, json_path, table(points), notes=notes)
    if draw is not None and plot_path is not None:
        draw(points, allowed, plot_path)
    fail_if_idle([each.result for each in points], connection.target)


def workload(task: str, model: str | None, max_chars: int, texts: tuple[str, ...]) -> Workload:
    """What is asked for."""
    named = {} if model is None else {"model": model}
    match task:
        case "sentiment":
            return Sentiment(texts=texts or TEXTS, **named)  # type: ignore[arg-type]
        case "translate":
            return Translation(sentences=texts or SENTENCES, attention=False, **named)  # type: ignore[arg-type]
        case _:
            return Generation(prompts=texts or PROMPTS, max_chars=max_chars, **named)  # type: ignore[arg-type]


def table(points: Sequence[Point]) -> Table:
    """A row an offered load."""
    rows = plain_table(
        "offered",
        "requests/s",
        "goodput/s",
        "of its peak",
        "done",
        "late",
        "rejected",
        "failed",
        "refused in, ms\np50 / p99",
        "with\nRetryInfo",
        "hint, s\np50 / max",
        "generator\ncores",
    )
    for each, share in zip(points, shares_of_peak(points), strict=True):
        result = each.result
        hints = result.retry_hint_seconds
        rows.add_row(
            f"{each.factor:g} x capacity",
            f"{each.offered:,.1f}",
            f"{each.goodput:,.1f}",
            f"{share:.0%}",
            str(result.done),
            str(each.late),
            str(result.rejected),
            str(result.failed),
            f"{one(result.refusal_seconds.p50)} / {one(result.refusal_seconds.p99)}",
            "-" if result.retry_hint_share is None else f"{result.retry_hint_share:.0%}",
            "-" if hints.p50 is None else f"{hints.p50:.3g} / {hints.max:.3g}",
            f"{result.generator_cpu_share:.2f}",
        )
    return rows


def verdicts(points: Sequence[Point]) -> list[str]:
    """What misses the aims: goodput at 90 % of its peak, refusals within 50 ms, a RetryInfo in each."""
    found = []
    for each, share in zip(points, shares_of_peak(points), strict=True):
        over = each.factor > 1
        result = each.result
        if over and share < GOODPUT_AIM:
            found.append(f"missed: goodput at {each.factor:g} x capacity is {share:.0%} of its peak, under 90 %")
        if (result.refusal_seconds.p99 or 0.0) > REFUSAL_AIM_SECONDS:
            found.append(
                f"missed: at {each.factor:g} x capacity 1 % of refusals take {one(result.refusal_seconds.p99)} ms or "
                "more, over 50"
            )
        if result.retry_hint_share is not None and result.retry_hint_share < 1:
            found.append(f"missed: at {each.factor:g} x capacity {result.retry_hint_share:.0%} come with a RetryInfo")
        if over and each.late:
            found.append(f"missed: at {each.factor:g} x capacity {each.late} were let in and not done by the deadline")
    for each in points:
        if each.result.reasons:
            told = ", ".join(f"{count} {reason}" for reason, count in each.result.reasons.items())
            found.append(f"{each.factor:g} x capacity: {told}")
    return found
