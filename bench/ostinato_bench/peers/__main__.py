"""Compares Ostinato with other model servers: ``python -m ostinato_bench.peers``, or ``make bench-peers``."""

from __future__ import annotations

import platform
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from ostinato_bench.peers.catalog import OSTINATO, PEERS, Server
from ostinato_bench.peers.environment import EnvironmentFailure
from ostinato_bench.peers.results import Record, Run
from ostinato_bench.peers.running import SLOTS, TEXTS, Bench, RunFailure
from ostinato_bench.peers.table import section, splice

ROOT = Path(__file__).resolve().parents[3]
TITLE = "# Ostinato beside other model servers\n"


def chosen(_: click.Context, __: click.Parameter, names: tuple[str, ...]) -> tuple[Server, ...]:
    """The peers of these names; all where none is given.

    Raises:
        click.BadParameter: There is no such peer.
    """
    known = {peer.name: peer for peer in PEERS}
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(known)}.")
    return tuple(known[name] for name in names) or PEERS


@click.command()
@click.argument("peers", nargs=-1, callback=chosen)
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs/peers"),
    show_default=True,
    envvar="OSTINATO_PEERS",
    show_envvar=True,
    help="Folder of the peers' environments; made where there are none, and kept.",
)
@click.option(
    "--repository",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("repository"),
    show_default=True,
    envvar="OSTINATO_REPOSITORY",
    show_envvar=True,
    help="The derived bundles (`make bundles`).",
)
@click.option("--rounds", type=click.IntRange(1), default=2, show_default=True, help="Runs of each server, in turn.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=6.0, show_default=True, help="A load.")
def main(peers: tuple[Server, ...], cache: Path, repository: Path, rounds: int, seconds: float) -> None:
    """Put the same load on Ostinato and on PEERS (all of them where none is named), and write the results down.

    Ostinato runs in every round, so that ratios come from one run.
    """
    when = datetime.now(UTC).isoformat(timespec="seconds")
    cache.mkdir(parents=True, exist_ok=True)
    bench = Bench(ROOT / "bench" / "peers", cache.resolve(), repository, seconds)
    seen, reasons = measure(bench, (*OSTINATO, *peers), rounds)
    beside = {server.name: seen[server.name] for server in OSTINATO}
    folder = bench.peers / "results"
    for server in (*OSTINATO, *peers):
        reason = reasons.get(server.name, "")
        Record(
            name=server.name,
            when=when,
            configuration=configuration(server, rounds, seconds),
            versions={} if reason else bench.versions(server),
            rounds=[] if reason else seen[server.name],
            beside=beside,
            reason=reason,
        ).write(folder)
    records = {path.stem: Record.read(path) for path in folder.glob("*.json")}
    page = ROOT / "docs" / "benchmarks.md"
    before = page.read_text(encoding="utf-8") if page.exists() else TITLE
    page.write_text(splice(before, section(records)), encoding="utf-8")


def measure(bench: Bench, servers: tuple[Server, ...], rounds: int) -> tuple[dict[str, list[Run]], dict[str, str]]:
    """Runs the servers one after the other, so many times.

    Returns:
        What was seen of each, and why those that failed did.
    """
    console = Console(stderr=True)
    seen: defaultdict[str, list[Run]] = defaultdict(list)
    reasons: dict[str, str] = {}
    for number in range(rounds):
        for server in servers:
            if server.name in reasons:
                continue
            console.print(f"round {number + 1} of {rounds}: {server.title}")
            try:
                found = bench.measure(server)
            except (EnvironmentFailure, RunFailure) as error:
                reasons[server.name] = str(error)
                console.print(f"  {error}")
                continue
            seen[server.name].append(found)
            figures = (found["generation_64"]["tokens_per_second"], found["sentiment_64"]["requests_per_second"])
            console.print("  {:,.0f} characters/s, {:,.0f} texts/s".format(*figures))
    return dict(seen), reasons


def configuration(server: Server, rounds: int, seconds: float) -> dict[str, object]:
    """How a server was set up, for its results file."""
    return {
        "batching": server.batching,
        "transport": server.transport,
        "threads": server.threads,
        "slots": SLOTS,
        "texts_per_batch": TEXTS if not server.runtime else 64,
        "runtime": server.runtime or "onnx",
        "packages": list(server.packages),
        "rounds": rounds,
        "seconds": seconds,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


if __name__ == "__main__":
    main()
