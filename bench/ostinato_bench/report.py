"""Results as a table for people and as JSON for programs."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from rich.table import Table
from rich.text import Text

from ostinato_bench.recording import Distribution, Result


def table(results: Sequence[Result], unit: str) -> Table:
    """A row a run; latencies in milliseconds as p50 / p90 / p99."""
    columns = Table(box=None, pad_edge=False)
    columns.add_column("load")
    for heading in (f"{unit}/s", "requests/s", "messages/s"):
        columns.add_column(heading, justify="right")
    for heading in ("first token, ms", "between tokens, ms", "whole request, ms"):
        columns.add_column(Text(heading + "\np50 / p90 / p99"), justify="right")
    for heading in ("done", "rejected", "failed"):
        columns.add_column(heading, justify="right")
    for each in results:
        columns.add_row(
            f"{each.rate:g}/s" if each.rate is not None else f"{each.concurrency} in flight",
            f"{each.tokens_per_second:,.0f}",
            f"{each.requests_per_second:,.1f}",
            f"{each.messages_per_second:,.0f}",
            milliseconds(each.time_to_first_token_seconds),
            milliseconds(each.inter_token_latency_seconds),
            milliseconds(each.end_to_end_seconds),
            str(each.done),
            str(each.rejected),
            str(each.failed),
        )
    return columns


def milliseconds(values: Distribution) -> str:
    """The percentiles in a line, three digits each."""
    percentiles = (values.p50, values.p90, values.p99)
    return " / ".join("-" if value is None else f"{value * 1000:.3g}" for value in percentiles)


def document(results: Sequence[Result], settings: dict[str, Any]) -> dict[str, Any]:
    """All that is needed to read the figures later: what was run, on what, and every result."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "ostinato": version("ostinato"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "settings": settings,
        "results": [dataclasses.asdict(each) for each in results],
    }
