"""Results as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from rich.console import ConsoleRenderable
from rich.table import Table
from rich.text import Text

from ostinato_bench.statistics import Distribution, Result
from ostinato_client.cli.output import console

CLOSED_LOOP = (
    "closed loop: a server that stalls is asked less, so these latencies are those of so many patient clients; "
    "--rate measures what an independent arrival meets"
)


def table(results: Sequence[Result], unit: str) -> Table:
    """A row a run; latencies in milliseconds, and of a stream's parts where there are streams."""
    streams = any(each.inter_message_latency_seconds.count for each in results)
    ladder = ", ms\np50 / p90 / p99 / p99.9 / max"
    columns = plain_table(
        "load",
        f"{unit}/s",
        "requests/s",
        "messages/s",
        *(("first token" + ladder, "between tokens" + ladder) if streams else ()),
        "whole request" + ladder,
        "done",
        "rejected",
        "failed",
        "generator\ncores",
    )
    for each in results:
        parts = (each.time_to_first_token_seconds, each.inter_token_latency_seconds)
        columns.add_row(
            each.label,
            f"{each.tokens_per_second:,.0f}",
            f"{each.requests_per_second:,.1f}",
            f"{each.messages_per_second:,.0f}",
            *(map(milliseconds, parts) if streams else ()),
            milliseconds(each.end_to_end_seconds),
            str(each.done),
            str(each.rejected),
            str(each.failed),
            f"{each.generator_cpu_share:.2f}",
        )
    return columns


def remarks(results: Sequence[Result]) -> list[str]:
    """What a reader of the table must know beside it."""
    found = [CLOSED_LOOP] if any(each.loop == "closed" for each in results) else []
    for each in results:
        if each.rejected:
            refusal, hints = each.refusal_seconds, each.retry_hint_seconds
            found.append(
                f"{each.label}: refused in p50 {one(refusal.p50)} / p99 {one(refusal.p99)} ms, "
                f"{each.retry_hint_share:.0%} with a RetryInfo"
                + (f" (p50 {hints.p50:.3g} s, max {hints.max:.3g} s)" if hints.p50 and hints.max else "")
            )
        if each.reasons:
            found.append(f"{each.label}: " + ", ".join(f"{count} {reason}" for reason, count in each.reasons.items()))
    return [*found, *warnings(results)]


def warnings(results: Iterable[Result]) -> list[str]:
    """The runs whose figures are the generator's as much as the server's."""
    return [
        f"warning: {each.label}: {each.blurred}; latencies are too high and rates too low. "
        "Give it more --processes, or a machine of its own"
        for each in results
        if each.blurred is not None
    ]


def plain_table(*headings: str) -> Table:
    """An empty table: the first column names what is in a row, the others are figures."""
    columns = Table(box=None, pad_edge=False, header_style="bold")
    for index, heading in enumerate(headings):
        columns.add_column(Text(heading, justify="right" if index else "left"), justify="right" if index else "left")
    return columns


def one(seconds: float | None) -> str:
    """A time in milliseconds, three digits."""
    if seconds is None:
        return "-"
    value = seconds * 1000
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def milliseconds(values: Distribution) -> str:
    """The percentiles in a line, three digits each."""
    return " / ".join(map(one, (values.p50, values.p90, values.p99, values.p999, values.max)))


def document(settings: dict[str, Any], **results: Any) -> dict[str, Any]:
    """All that is needed to read the figures later: what was run, on what, and every result."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "ostinato": version("ostinato"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "settings": settings,
        **results,
    }


def publish(report: dict[str, Any], path: Path | None, *parts: ConsoleRenderable, notes: Sequence[str] = ()) -> None:
    """Prints tables and notes, or the report itself where ``path`` is ``-``; writes the report to any other path."""
    if path is not None and str(path) == "-":
        click.echo(json.dumps(report))
        return
    screen = console()
    for part in parts:
        screen.print(part)
    for note in notes:
        screen.print(Text(note, style="yellow" if note.startswith("warning") else "dim"), soft_wrap=True)
    if path is not None:
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
