"""Sends every call of a server as many mutated requests as are asked for: ``python -m tests.fuzz``."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from tests.bundles import build_tiny_repository
from tests.fuzz.campaign import Outcome, fuzz
from tests.fuzz.report import Report, table
from tests.fuzz.rpcs import all_rpcs
from tests.fuzz.server import fuzzed_server


@click.command()
@click.option("--requests", default=100_000, show_default=True, type=click.IntRange(1), help="Requests of each call.")
@click.option("--seed", default=1, show_default=True, help="The same one sends the same requests.")
@click.option("--call", "calls", multiple=True, metavar="TEXT", help="Fuzz only the calls whose names have this in.")
@click.option(
    "--report",
    "path",
    default="runs/fuzz/report.json",
    show_default=True,
    type=click.Path(path_type=Path),
    help="What was found; calls that it has already are not fuzzed again.",
)
@click.option(
    "--repository",
    type=click.Path(path_type=Path, exists=True),
    help="Serve these bundles rather than tiny ones; they have the shipped models' names.",
)
@click.option("--wait-for", metavar="COMMAND", help="Run this before each call, to wait until a machine is free.")
def main(
    requests: int, seed: int, calls: tuple[str, ...], path: Path, repository: Path | None, wait_for: str | None
) -> None:
    """Fuzz every call of a server of its own, and print what became of it.

    Exits with 1 where a call ended as none may, the server's log told of an error nobody foresaw, its memory grew, or
    it ended.
    """
    report = Report(path, requests, seed)
    with TemporaryDirectory(prefix="ostinato-fuzz-") as folder:
        served = repository or build_tiny_repository(Path(folder) / "repository")
        for rpc in all_rpcs():
            if report.has(rpc.path) or (calls and not any(part in rpc.path for part in calls)):
                continue
            if wait_for:
                subprocess.run(shlex.split(wait_for), check=True)
            with fuzzed_server(served, Path(folder) / "log") as server:
                outcome = asyncio.run(fuzz(server, rpc, requests, seed, _progress(rpc.path, requests)))
            report.add(outcome)
            _tell(outcome)
    click.echo(table(report.outcomes()))
    sys.exit(any(outcome.faults for outcome in report.outcomes()))


def _progress(path: str, requests: int) -> Callable[[int], None]:
    def tell(sent: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{path}: {sent:,} of {requests:,} requests", err=True, nl=False)

    return tell


def _tell(outcome: Outcome) -> None:
    click.echo(
        f"\r{outcome.rpc}: {outcome.requests:,} requests in {outcome.seconds:.0f} s, {len(outcome.faults)} faults",
        err=True,
    )
    for fault in outcome.faults:
        click.echo(f"  {fault}", err=True)


if __name__ == "__main__":
    main()
