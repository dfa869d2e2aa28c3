"""``ostinato translate``: translate a text, printed as it comes, with the attention of each sentence."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from ostinato_client.cli.heatmap import ASCII_SHADES, SHADES, heat_map
from ostinato_client.cli.labels import readable
from ostinato_client.cli.options import (
    TEXT,
    FiniteRange,
    connection_options,
    json_option,
    priority_option,
    version_option,
)
from ostinato_client.cli.output import console, drawable, note, single, write_json, write_text
from ostinato_client.cli.standard_input import given_text
from ostinato_client.client import Client
from ostinato_client.requests import MAX_UINT32
from ostinato_client.results import FloatArray, Translation
from ostinato_client.streams import TranslationStream


@click.command(epilog='\b\nExample:\n  ostinato translate "I love you." --attention')
@click.argument("text", type=TEXT)
@click.option("--model", default="translation-en-fr", show_default=True, help="Name of the model.")
@version_option
@click.option("--beam-size", type=click.IntRange(1, MAX_UINT32), help="1 is greedy search.  [default: 1]")
@click.option("--length-penalty", type=FiniteRange(0, 5), help="Exponent of the length normalisation of beam search.")
@click.option("--max-tokens", type=click.IntRange(1, MAX_UINT32), help="The most target tokens of a sentence.")
@click.option("--attention", is_flag=True, help="Show which source tokens each target token attended to.")
@click.option(
    "--attention-plot",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Draw the attention as a picture (.png, .svg, .pdf).",
)
@priority_option
@connection_options
@json_option
def translate(
    *,
    connect: Callable[[], AbstractContextManager[Client]],
    as_json: bool,
    text: str,
    attention: bool,
    attention_plot: Path | None,
    **search: Any,
) -> None:
    """Translate TEXT, one or several sentences, and print the tokens as they come; - reads standard input.

    Standard input is UTF-8, and one line break at its end is removed.
    """
    text = given_text(text)
    draw = plotter() if attention_plot else None  # says what is missing before anything is asked of the server
    wanted = attention or as_json or attention_plot is not None
    with connect() as client, client.translate(text, attention=wanted, **search) as stream:
        translation = stream.result() if as_json else print_stream(stream)
    if as_json:
        write_json(translation_record(translation))
    elif attention:
        print_attention(translation)
    if draw is not None and attention_plot is not None:
        if all(sentence.attention is None for sentence in translation.sentences):
            raise click.ClickException(f"{translation.model}: the model has no attention to draw")
        draw(translation, attention_plot)
        note(f"[attention drawn in {attention_plot}]")


def plotter() -> Callable[[Translation, Path], None]:
    """The function that draws.

    Raises:
        click.ClickException: matplotlib is not installed.
    """
    try:
        from ostinato_client.cli.plot import draw_attention
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"--attention-plot: {error.name} is not installed; install it with: pip install 'ostinato[plot]'"
        ) from error
    return draw_attention


def print_stream(stream: TranslationStream) -> Translation:
    """Prints the translation as it comes."""
    printed = 0
    for token in stream:
        write_text(token.text)
        printed += len(token.text)
    translation = stream.result()
    write_text(translation.text[printed:])
    click.echo()
    return translation


def print_attention(translation: Translation) -> None:
    """Prints the attention of each sentence as a heat map; of several, the number and the source go before."""
    if all(sentence.attention is None for sentence in translation.sentences):
        raise click.ClickException(f"{translation.model}: the model has no attention to show")
    screen = console()
    colour = screen.color_system in ("256", "truecolor")  # sixteen colours are too few to tell weights apart
    for number, sentence in enumerate(translation.sentences, 1):
        if sentence.attention is None:  # its translation is empty
            continue
        screen.print()
        if len(translation.sentences) > 1:
            screen.print(Text(f"{number}: {readable(' '.join(sentence.source.split()))}"), soft_wrap=True)
        lines = heat_map(
            sentence.attention,
            sentence.source_tokens,
            sentence.target_tokens,
            width=screen.width,
            colour=colour,
            shades=SHADES if drawable(SHADES) else ASCII_SHADES,
        )
        for line in lines:
            screen.print(line, soft_wrap=True)


def translation_record(translation: Translation) -> dict[str, Any]:
    """The JSON object for a translation."""
    return {
        "text": translation.text,
        "source_tokens": list(translation.source_tokens),
        "target_tokens": list(translation.target_tokens),
        "attention": _rows(translation.attention),
        "score": single(translation.score),
        "finish_reason": translation.finish_reason.value,
        "unknown_tokens": translation.unknown_tokens,
        "source_token_count": len(translation.source_tokens),
        "target_token_count": len(translation.target_tokens),
        "model": translation.model,
        "version": translation.version,
        "timings": dataclasses.asdict(translation.timings),
        "sentences": [
            {
                "source": sentence.source,
                "start": sentence.start,
                "end": sentence.end,
                "text": sentence.text,
                "source_tokens": list(sentence.source_tokens),
                "target_tokens": list(sentence.target_tokens),
                "attention": _rows(sentence.attention),
                "score": single(sentence.score),
                "finish_reason": sentence.finish_reason.value,
                "unknown_tokens": sentence.unknown_tokens,
            }
            for sentence in translation.sentences
        ],
    }


def _rows(attention: FloatArray | None) -> list[list[float]] | None:
    return None if attention is None else [[single(weight) for weight in row] for row in attention]
