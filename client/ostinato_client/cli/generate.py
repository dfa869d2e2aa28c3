"""``ostinato generate``: continue a text, printed as it comes."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import click

from ostinato_client.cli.options import (
    TEXT,
    FiniteRange,
    connection_options,
    json_option,
    priority_option,
    version_option,
)
from ostinato_client.cli.output import note, single, write_json, write_text
from ostinato_client.cli.standard_input import given_text
from ostinato_client.client import Client
from ostinato_client.requests import MAX_UINT32, MAX_UINT64
from ostinato_client.results import Chunk, GenerationSummary, TokenDetail
from ostinato_client.streams import GenerationStream


@click.command(epilog='\b\nExample:\n  ostinato generate "ROMEO:" --max-chars 300 --seed 1')
@click.argument("prompt", type=TEXT)
@click.option("--model", default="char-lm", show_default=True, help="Name of the model.")
@version_option
@click.option("--max-chars", type=click.IntRange(1, MAX_UINT32), help="The most characters.  [default: 10000]")
@click.option("--temperature", type=FiniteRange(0, 100), help="0 takes the most probable character.  [default: 1]")
@click.option("--top-k", type=click.IntRange(0, MAX_UINT32), help="Keep the K most probable; 0 keeps all.")
@click.option("--top-p", type=FiniteRange(0, 1, min_open=True), help="Keep the most probable that sum to P.")
@click.option("--seed", type=click.IntRange(0, MAX_UINT64), help="The same seed gives the same text.")
@click.option(
    "--stop", type=TEXT, multiple=True, metavar="TEXT", help="End before this text; may be given several times."
)
@click.option("--logprobs", is_flag=True, help="Show the log-probability of every character.")
@priority_option
@click.option("--resume/--no-resume", default=True, help="Take the stream up where it broke if the server goes away.")
@connection_options
@json_option
def generate(
    *,
    connect: Callable[[], AbstractContextManager[Client]],
    as_json: bool,
    prompt: str,
    logprobs: bool,
    **sampling: Any,
) -> None:
    """Continue PROMPT and print the text as it comes; - reads standard input.

    An empty PROMPT starts a text. Standard input is UTF-8, and one line break at its end is removed. To continue the
    text - itself, pipe it.
    """
    prompt = given_text(prompt)
    with connect() as client, client.generate(prompt, logprobs=logprobs, **sampling) as stream:
        if as_json:
            for chunk in stream:
                write_json(chunk_record(chunk, logprobs=logprobs))
            write_json(summary_record(stream.summary))
        elif logprobs:
            for chunk in stream:
                for token in chunk.tokens:
                    click.echo(f"{single(token.logprob):10.4f}  {token.text!r}")
        else:
            print_stream(prompt, stream)


def print_stream(prompt: str, stream: GenerationStream) -> None:
    """Prints the text as it comes; on a terminal after the prompt, dimmed."""
    first = next(stream, None)  # a refused request leaves the screen as it was
    if sys.stdout.isatty():
        write_text(click.style(prompt, dim=True))
    if first is not None:
        write_text(first.text)
    for chunk in stream:
        write_text(chunk.text)
    click.echo()
    summary = stream.summary
    timings = summary.timings
    unknown = f", {summary.unknown_tokens} of the prompt unknown to the model" if summary.unknown_tokens else ""
    note(
        f"[{summary.generated_tokens} tokens in {timings.total_seconds:.2f} s, "
        f"first after {timings.time_to_first_token_seconds * 1000:.1f} ms, seed {summary.seed}{unknown}]"
    )


def chunk_record(chunk: Chunk, *, logprobs: bool) -> dict[str, Any]:
    """The JSON object for a chunk."""
    record: dict[str, Any] = {"text": chunk.text}
    if logprobs:
        record["tokens"] = [token_record(token) for token in chunk.tokens]
    return record


def token_record(token: TokenDetail) -> dict[str, Any]:
    """The JSON object for a token."""
    return {"text": token.text, "token_id": token.token_id, "logprob": single(token.logprob)}


def summary_record(summary: GenerationSummary) -> dict[str, Any]:
    """The JSON object that ends a stream."""
    return {
        "finish_reason": summary.finish_reason.value,
        "text": summary.text,
        "model": summary.model,
        "version": summary.version,
        "seed": summary.seed,
        "prompt_tokens": summary.prompt_tokens,
        "generated_tokens": summary.generated_tokens,
        "unknown_tokens": summary.unknown_tokens,
        "timings": dataclasses.asdict(summary.timings),
    }
