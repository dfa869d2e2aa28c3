"""``ostinato sentiment``: score texts, one line each, in order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import click
from click.core import ParameterSource

from ostinato_client.cli.options import TEXT, connection_options, json_option, version_option
from ostinato_client.cli.output import drawable, single, write_json
from ostinato_client.cli.standard_input import DASH, check_once, read_lines
from ostinato_client.client import Client
from ostinato_client.results import Sentiment, SentimentScore

BAR_WIDTH = 20
BLOCKS, ASCII_BLOCKS = ("█", "░"), ("#", "-")
"""The filled and the empty part of a bar, and what stands for them where the encoding has no blocks."""

COLOURS = {Sentiment.POSITIVE: "green", Sentiment.NEGATIVE: "red"}


@click.command(epilog='\b\nExample:\n  ostinato sentiment "A fine film." "Not a fine film."')
@click.argument("texts", type=TEXT, nargs=-1, required=True, metavar="TEXT... | -")
@click.option("--model", default="sentiment", show_default=True, help="Name of the model.")
@version_option
@click.option("--trace", is_flag=True, help="Show the score after every token too.")
@connection_options
@json_option
def sentiment(
    *,
    connect: Callable[[], AbstractContextManager[Client]],
    as_json: bool,
    texts: Sequence[str],
    model: str,
    version: int | None,
    trace: bool,
) -> None:
    """Score each TEXT; - reads standard input, a text a line, and answers as the lines come.

    Blank lines are skipped. A line of - is that text.
    """
    check_once(texts)
    with (
        connect() as client,
        client.classify_stream(
            each_text(texts), model=model, version=version, trace=trace, timeout=allowed_time(texts)
        ) as scores,
    ):
        for score in scores:
            if as_json:
                write_json(score_record(score, trace=trace))
            else:
                click.echo(score_line(score))
                for point in score.trace:
                    click.echo(f"    {bar(point.positive_probability)} {point.positive_probability:.3f}  {point.token}")


def allowed_time(texts: Sequence[str]) -> float | None:
    """Seconds for the stream: a person who types into it is not timed unless ``--timeout`` was given."""
    given = click.get_current_context().get_parameter_source("timeout") is not ParameterSource.DEFAULT
    return math.inf if DASH in texts and not given else None


def each_text(texts: Sequence[str]) -> Iterator[str]:
    """The texts of the command line, with standard input's lines in place of a ``-``."""
    for text in texts:
        if text == DASH:
            yield from read_lines()
        else:
            yield text


def score_line(score: SentimentScore) -> str:
    """A line with a bar for people."""
    probability = max(score.positive_probability, score.negative_probability)
    verdict = click.style(f"{score.sentiment.value:<8}", fg=COLOURS.get(score.sentiment), bold=True)
    return f"{verdict} {probability:.3f}  {bar(score.positive_probability)}  {score.text}"


def bar(positive: float) -> str:
    """How positive a text is, from an empty bar to a full one."""
    filled = round(min(max(positive, 0.0), 1.0) * BAR_WIDTH)
    full, empty = BLOCKS if drawable("".join(BLOCKS)) else ASCII_BLOCKS
    return click.style(full * filled, fg="green") + click.style(empty * (BAR_WIDTH - filled), fg="red")


def score_record(score: SentimentScore, *, trace: bool) -> dict[str, Any]:
    """The JSON object for a score."""
    record: dict[str, Any] = {
        "text": score.text,
        "positive_probability": single(score.positive_probability),
        "negative_probability": single(score.negative_probability),
        "sentiment": score.sentiment.value,
        "token_count": score.token_count,
        "unknown_tokens": score.unknown_tokens,
        "model": score.model,
        "version": score.version,
    }
    if trace:
        record["trace"] = [
            {"token": point.token, "positive_probability": single(point.positive_probability)} for point in score.trace
        ]
    return record
