"""``ostinato bench failover``: what the loss of a server does to the streams of resuming clients."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click
from rich.table import Table

from ostinato_bench.envoy import find_envoy, proxied
from ostinato_bench.options import processes_option, report_options, seconds_option
from ostinato_bench.outage import Outage, outage
from ostinato_bench.readers import Readers, Reading, Task, readers
from ostinato_bench.replicas import EVENTS, Replicas, replicas
from ostinato_bench.report import document, plain_table, publish
from ostinato_bench.repository import repository_option
from ostinato_bench.served import ended_by_signals
from ostinato_bench.texts import PROMPTS
from ostinato_client.channels import BalanceName

POLL_SECONDS = 0.005


@click.command("failover")
@click.option("--replicas", "count", type=click.IntRange(1, 64), default=3, show_default=True, help="Servers to start.")
@click.option(
    "--streams", type=click.IntRange(1), default=64, show_default=True, help="Streams under way at the event."
)
@click.option("--max-tokens", type=click.IntRange(1), default=2000, show_default=True, help="Length of a stream.")
@click.option(
    "--via",
    type=click.Choice(["round-robin", "pick-first", "envoy"]),
    default="round-robin",
    show_default=True,
    help="How streams reach the servers: the client uses all in turn, or the first that answers, or Envoy does it.",
)
@click.option(
    "--event",
    type=click.Choice(list(EVENTS)),
    default="kill",
    show_default=True,
    help="SIGKILL or SIGTERM for the first server, started again if it is the only one; or restart all in turn.",
)
@seconds_option("--grace", 0.5, "How long a server that was sent SIGTERM lets its calls run.")
@click.option("--model", default="char-lm", show_default=True)
@seconds_option("--timeout", 120.0, "Time allowed for a stream.")
@repository_option
@processes_option
@report_options(plot=False)
@click.argument("serve_flags", nargs=-1, type=click.UNPROCESSED)
def failover(
    *,
    count: int,
    streams: int,
    max_tokens: int,
    via: str,
    event: str,
    grace: float,
    model: str,
    timeout: float,
    repository: Path,
    processes: int,
    json_path: Path | None,
    serve_flags: tuple[str, ...],
) -> None:
    """Measure how streams survive the loss of a server.

    Starts its own servers on loopback; SERVE_FLAGS, after --, go to each of them. Reads every stream twice:
    undisturbed, and with the event after half of all characters. Both texts must be the same.
    """
    if via == "envoy":
        find_envoy()
    with ExitStack() as stack:
        stack.enter_context(ended_by_signals())
        servers = stack.enter_context(replicas(repository, serve_flags, grace, count))
        target = stack.enter_context(proxied(servers.addresses)) if via == "envoy" else several(servers.addresses)
        balance: BalanceName = "round_robin" if via == "round-robin" else "pick_first"
        task = Task(
            target=target, balance=balance, model=model, prompt=PROMPTS[0], max_tokens=max_tokens, timeout=timeout
        )
        reading = stack.enter_context(readers(task, min(processes, streams)))
        undisturbed = read_undisturbed(reading, streams)
        found, event_seconds = disturb(reading, servers, event, undisturbed)
    settings = {
        "replicas": count,
        "streams": streams,
        "max_tokens": max_tokens,
        "via": via,
        "event": event,
        "grace": grace,
        "model": model,
        "timeout": timeout,
        "processes": processes,
        "serve_flags": list(serve_flags),
    }
    report = document(settings, **dataclasses.asdict(found), event_seconds=event_seconds)
    publish(
        report, json_path, table(found), notes=[f"{count_of} {reason}" for reason, count_of in found.reasons.items()]
    )


def several(addresses: Sequence[str]) -> str:
    """The target that stands for several addresses."""
    return f"ipv4:{','.join(addresses)}"


def read_undisturbed(reading: Readers, streams: int) -> list[Reading]:
    """Reads the streams with the seeds from 0 on.

    Raises:
        click.ClickException: One fails.
    """
    reading.begin(range(streams))
    whole = reading.result()
    failed = next((each for each in whole if each.error is not None), None)
    if failed is not None:
        raise click.ClickException(f"a stream failed before the event: {failed.error}")
    return whole


def disturb(reading: Readers, servers: Replicas, event: str, undisturbed: Sequence[Reading]) -> tuple[Outage, float]:
    """Reads the streams again, with an event once half of their characters have come.

    Returns:
        The figures, and the seconds that the event took.

    Raises:
        click.ClickException: A replica does not become ready again.
    """
    half = sum(len(each.text) for each in undisturbed) / 2
    reading.begin(range(len(undisturbed)))
    while reading.characters < half and not reading.finished:
        time.sleep(POLL_SECONDS)
    begun = time.monotonic()
    EVENTS[event](servers)
    event_seconds = time.monotonic() - begun
    return outage(reading.result(), undisturbed, begun), event_seconds


def table(found: Outage) -> Table:
    """The figures in one row."""
    row = plain_table(
        "streams", "resumed", "errors", "wrong characters", "longest silence, s", "before the event, s", "characters/s"
    )
    row.add_row(
        str(found.streams),
        str(found.resumed),
        str(found.errors),
        str(found.wrong_characters),
        f"{found.longest_silence_seconds:.2f}",
        f"{found.longest_silence_before_seconds:.2f}",
        f"{found.characters_per_second:,.0f}",
    )
    return row
