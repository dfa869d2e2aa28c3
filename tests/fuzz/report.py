"""What was fuzzed: kept as JSON, so that a run that broke off goes on, and shown as a table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz.campaign import Outcome
from tests.fuzz.driver import LEFT

HEAD = ("call", "requests", "OK", "invalid", "not found", "other ends", "requests/s", "memory, MiB", "slowest, s")
COUNTED = ("OK", "INVALID_ARGUMENT", "NOT_FOUND")
SHORT = {LEFT: "left", "RESOURCE_EXHAUSTED": "too large"}
"""Streams that the client left while they went on, and messages of 5 MiB."""


class Report:
    """The outcomes of a run in a file, each under what was asked for.

    Args:
        path: The file; made with the first outcome.
        requests: Requests of each call.
        seed: Seed of the requests.
    """

    def __init__(self, path: Path, requests: int, seed: int) -> None:
        self._path = path
        self._key = f"{requests} requests, seed {seed}"
        self._all: dict[str, dict[str, object]] = json.loads(path.read_text()) if path.exists() else {}

    def outcomes(self) -> list[Outcome]:
        """Those of this run, in their order."""
        return [Outcome(**found) for found in self._all.get(self._key, {}).values()]  # type: ignore[arg-type]

    def has(self, rpc: str) -> bool:
        """Whether a call is done, and well."""
        return any(found.rpc == rpc and not found.faults for found in self.outcomes())

    def add(self, outcome: Outcome) -> None:
        """Keeps an outcome."""
        self._all.setdefault(self._key, {})[outcome.rpc] = dataclasses.asdict(outcome)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self._all, indent=1))


def table(outcomes: Iterable[Outcome]) -> str:
    """A row a call, in Markdown."""
    rows = [HEAD, tuple("---" for _ in HEAD)]
    rows += [
        (
            outcome.rpc.partition("/")[2].replace("/", " ").rpartition(".")[2],
            f"{outcome.requests:,}",
            *(f"{outcome.statuses.get(status, 0):,}" for status in COUNTED),
            ", ".join(
                f"{count:,} {SHORT.get(status, status)}"
                for status, count in sorted(outcome.statuses.items())
                if status not in COUNTED
            ),
            f"{outcome.requests / outcome.seconds:,.0f}" if outcome.seconds else "-",
            f"{outcome.warm_mib:.0f} to {outcome.final_mib:.0f}",
            f"{outcome.slowest:.2f}",
        )
        for outcome in outcomes
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
