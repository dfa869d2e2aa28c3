"""``ostinato bench fairness``: what one client's load does to the others."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.table import Table

from ostinato_bench.calls import Manner
from ostinato_bench.fairing import Disturbance, pooled
from ostinato_bench.fleet import Fleet, fleet
from ostinato_bench.generator import Load
from ostinato_bench.options import report_options, seconds_option
from ostinato_bench.progress import watched
from ostinato_bench.recording import Outcome, Recording
from ostinato_bench.report import document, one, plain_table, publish
from ostinato_bench.texts import PROMPTS
from ostinato_bench.workloads import Generation
from ostinato_client.cli.options import Connection, described_connection, open_client

AIM = 1.2
GREEDY_STREAMS = 400
"""A client under the server's default --max-requests-per-caller, together with the normal streams."""

PROMPT_TEXT = "To be, or not to be, that is the question: "


@click.command("fairness")
@click.option("--model", default="char-lm", show_default=True)
@click.option("--streams", type=click.IntRange(1), default=16, show_default=True, help="Normal streams.")
@click.option("--max-chars", type=click.IntRange(2), default=400, show_default=True, help="Length of a normal stream.")
@seconds_option("--phase", 3.0, "Length of a phase.")
@click.option("--rounds", type=click.IntRange(1), default=4, show_default=True, help="Pairs of phases, a disturber.")
@seconds_option("--lead", 2.0, "How long a disturber runs before it is measured beside.")
@click.option(
    "--prompt-rate",
    type=click.FloatRange(0, min_open=True),
    default=2.0,
    show_default=True,
    help="Long prompts a second (Poisson).",
)
@click.option("--slow-readers", type=click.IntRange(1), default=16, show_default=True, help="Streams that hardly read.")
@click.option(
    "--greedy", type=click.IntRange(1), default=GREEDY_STREAMS, show_default=True, help="Streams of a greedy client."
)
@described_connection
@report_options(plot=False)
def fairness(
    *,
    model: str,
    streams: int,
    max_chars: int,
    phase: float,
    rounds: int,
    lead: float,
    prompt_rate: float,
    slow_readers: int,
    greedy: int,
    connection: Connection,
    json_path: Path | None,
) -> None:
    """Measure streams alone and beside a disturber, in turn.

    The disturbers: prompts as long as the model takes, readers that take nothing for a second at a time, and a client
    of another name with very many streams. Each is another process.
    """
    prompt_limit, length_limit = limits(connection, model)
    normal = Load(
        workload=Generation(prompts=PROMPTS, model=model, max_chars=max_chars),
        manner=Manner(timeout=connection.timeout, client_id="bench-normal"),
        duration=phase,
        concurrency=streams,
        warm_up=1,
        cut=True,
    )
    long_prompt = (PROMPT_TEXT * (prompt_limit // len(PROMPT_TEXT) + 1))[:prompt_limit]
    rest = dataclasses.replace(normal, duration=lead + phase, warm_up=0)
    disturbers = {
        f"prompts of {prompt_limit} characters, {prompt_rate:g}/s": dataclasses.replace(
            rest,
            workload=Generation(prompts=(long_prompt,), model=model, max_chars=1),
            manner=Manner(timeout=connection.timeout, client_id="bench-prompts"),
            concurrency=None,
            rate=prompt_rate,
        ),
        f"{slow_readers} slow readers": dataclasses.replace(
            rest,
            workload=Generation(prompts=PROMPTS, model=model, max_chars=length_limit),
            manner=Manner(timeout=connection.timeout, client_id="bench-slow", pause=1.0),
            concurrency=slow_readers,
        ),
        f"{greedy} streams of a greedy client": dataclasses.replace(
            rest,
            manner=Manner(connections=-(-greedy // 256), timeout=connection.timeout, client_id="bench-greedy"),
            concurrency=greedy,
        ),
    }
    with fleet(connection) as normals, fleet(connection) as others:
        measured = [
            compare(normals, others, name, normal, disturber, rounds=rounds, lead=lead)
            for name, disturber in disturbers.items()
        ]
    settings = {
        "target": connection.target,
        "model": model,
        "streams": streams,
        "max_chars": max_chars,
        "phase": phase,
        "rounds": rounds,
        "lead": lead,
    }
    disturbances = [
        {
            **dataclasses.asdict(each),
            "inter_token_p99_ratio": each.token_ratio,
            "inter_message_p99_ratio": each.message_ratio,
            "first_token_p99_ratio": each.first_token_ratio,
        }
        for each in measured
    ]
    notes = [
        f"{streams} streams; {rounds} times {phase:g} s alone and {phase:g} s disturbed, in turn. The aim: beside long "
        f"prompts and slow readers, a p99 between tokens of at most {AIM:g} x the quiet one",
        "a greedy client fills every slot, and a step of more rows takes longer; fair is that the normal streams still "
        "get their slots at once (first token)",
        *verdicts(measured[:2]),
        *refusals(measured),
    ]
    publish(document(settings, disturbances=disturbances), json_path, table(measured), notes=notes)


def limits(connection: Connection, model: str) -> tuple[int, int]:
    """The longest prompt in characters, and the most characters of a stream, that a model takes.

    Raises:
        click.ClickException: The server does not answer, or has no such model.
    """
    with open_client(connection) as client:
        found = client.model(model).limits
    return min(found.max_text_characters, found.max_input_tokens), found.max_new_tokens


def compare(
    normals: Fleet, others: Fleet, name: str, normal: Load, disturber: Load, *, rounds: int, lead: float
) -> Disturbance:
    """Measures the normal streams without and with a disturber, in turn.

    Raises:
        click.ClickException: The server does not answer.
    """
    quiet, disturbed, disturbing = [], [], []
    for number in range(rounds):
        quiet.append(watched(normals, normal, f"alone, round {number + 1}"))
        running = others.begin(dataclasses.replace(disturber, seed=number + 1))
        time.sleep(lead)
        disturbed.append(watched(normals, normal, f"{name}, round {number + 1}"))
        disturbing.append(running.result())
    return Disturbance(name, pooled(quiet), pooled(disturbed), *tally(disturbing))


def tally(recordings: Sequence[Recording]) -> tuple[int, int]:
    """Requests that ended, and those of them that were refused or failed."""
    ended = sum(sum(each.outcomes.values()) for each in recordings)
    return ended, ended - sum(each.outcomes[Outcome.DONE] for each in recordings)


def table(measured: Sequence[Disturbance]) -> Table:
    """A row a disturber."""
    rows = plain_table(
        "beside",
        "between tokens, p99, ms\nalone / disturbed / ratio",
        "between messages, p99, ms\nalone / disturbed / ratio",
        "first token, p99, ms\nalone / disturbed / ratio",
        "characters/s\nalone / disturbed",
    )
    for each in measured:
        quiet, loud = each.quiet, each.disturbed
        rows.add_row(
            each.disturber,
            three(quiet.inter_token_seconds.p99, loud.inter_token_seconds.p99, each.token_ratio),
            three(quiet.inter_message_seconds.p99, loud.inter_message_seconds.p99, each.message_ratio),
            three(quiet.first_token_seconds.p99, loud.first_token_seconds.p99, each.first_token_ratio),
            f"{quiet.tokens_per_second:,.0f} / {loud.tokens_per_second:,.0f}",
        )
    return rows


def three(quiet: float | None, loud: float | None, ratio: float | None) -> str:
    """Two times and their ratio."""
    return f"{one(quiet)} / {one(loud)} / " + ("-" if ratio is None else f"{ratio:.2f}")


def verdicts(measured: Sequence[Disturbance]) -> list[str]:
    """What misses the aim."""
    return [
        f"missed: {each.disturber}: {each.token_ratio:.2f} x the quiet p99, over {AIM:g}"
        for each in measured
        if each.token_ratio is not None and each.token_ratio > AIM
    ]


def refusals(measured: Sequence[Disturbance]) -> list[str]:
    """Disturbers that the server did not let in."""
    return [
        f"warning: {each.disturber}: {each.refused} of its {each.requests} requests were refused or failed; raise the "
        "server's --max-queue and --max-requests-per-caller, or disturb less"
        for each in measured
        if each.refused
    ]
