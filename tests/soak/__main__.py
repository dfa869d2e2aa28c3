"""Soaks a server of the shipped models: ``python -m tests.soak``."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

import click
from tests.soak.campaign import MARGINS, Plan, Result, soak
from tests.soak.server import Held, soaked_server
from tests.soak.versions import forge_version
from tests.soak.work import all_work

CHARACTERS = 400


@click.command()
@click.option("--seconds", default=600.0, show_default=True, type=click.FloatRange(1), help="How long the run lasts.")
@click.option("--warm-up", default=60.0, show_default=True, type=click.FloatRange(1), help="The same before it.")
@click.option("--load", default=0.8, show_default=True, type=click.FloatRange(0.01, 2), help="Share of the capacity.")
@click.option("--seed", default=1, show_default=True)
@click.option(
    "--repository",
    default="models/pretrained",
    show_default=True,
    type=click.Path(path_type=Path, exists=True),
    help="The shipped models.",
)
def main(seconds: float, warm_up: float, load: float, seed: int, repository: Path) -> None:
    """Soak a server in load and trouble, and print what it holds before and after.

    Exits with 1 where an answer was wrong or ended as none may, or the server holds more than before.
    """
    plan = Plan(seconds=seconds, warm_up_seconds=warm_up, load=load, seed=seed)
    began = time.monotonic()

    def tell(text: str) -> None:
        click.echo(f"{time.monotonic() - began:.0f} s: {text}", err=True)

    with TemporaryDirectory(prefix="ostinato-soak-") as name:
        folder = Path(name)
        served = Path(copytree(repository, folder / "repository"))
        forge_version(served, "char-lm", 2)
        with soaked_server(served, folder) as server:
            result = asyncio.run(soak(server, all_work(CHARACTERS), plan, tell))
    click.echo(f"{seconds:g} s at {load:.0%} of {result.capacity:.0f} calls/s\n")
    click.echo(requests_table(result))
    click.echo()
    click.echo(held_table(result))
    for fault in result.faults:
        click.echo(fault, err=True)
    sys.exit(bool(result.faults))


def requests_table(result: Result) -> str:
    """How requests ended, in Markdown."""
    rows = [f"| {how} | {count:,} |" for how, count in result.tally.ended.most_common()]
    rows.append(f"| characters compared | {result.tally.characters:,} |")
    return "\n".join(["| requests | |", "| --- | --- |", *rows])


def held_table(result: Result) -> str:
    """What the server held, in Markdown."""
    rows = [
        f"| {name.replace('_', ' ')} | {getattr(result.warm, name):,.0f} | {getattr(result.end, name):,.0f} "
        f"| {getattr(MARGINS, name):g} |"
        for name in Held.__slots__
    ]
    head = [
        "| held by the quiet server | after the warm-up | after the run | allowed more |",
        "| --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *rows, f"| most memory in the run, MiB | | {result.peak_mib:,.0f} | |"])


if __name__ == "__main__":
    main()
