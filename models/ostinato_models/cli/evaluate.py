"""`ostinato evaluate`: measure a bundle's served files on data."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from ostinato_bundle import Artifact, BundleError
from ostinato_models.cli.options import json_option
from ostinato_models.data.variants import REVIEW_VARIANTS
from ostinato_models.errors import ModelsError
from ostinato_models.terminal import console, progress

if TYPE_CHECKING:
    from ostinato_models.evaluation.bundle import Options
    from ostinato_models.evaluation.result import Measured


@click.command()
@click.argument("task", type=click.Choice(["char-lm", "sentiment", "translation"]))
@click.option(
    "--bundle",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="The bundle's folder.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="char-lm: plain text. sentiment: label and sentence, tab separated. translation: source and reference. "
    "- reads standard input.",
)
@click.option(
    "--runtime", type=click.Choice(get_args(Artifact)), default="onnx-int8", show_default=True, help="What to measure."
)
@click.option(
    "--split",
    type=click.Choice(["all", "valid", "test"]),
    default="all",
    show_default=True,
    help="valid: the last 10 % of a text; valid and test: what training holds out of Tatoeba's archive.",
)
@click.option(
    "--references",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A reference for every line of --data, which then holds sources only; .gz is unpacked (translation).",
)
@click.option(
    "--beam-size",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Hypotheses kept for each sentence (translation).",
)
@click.option(
    "--lanes",
    type=click.IntRange(min=1, max=1024),
    default=1,
    show_default=True,
    help="Stretches read side by side (char-lm); 1 is one exact pass, more are faster.",
)
@click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads that a call may use."
)
@click.option(
    "--variant", type=click.Choice(list(REVIEW_VARIANTS)), help="Type the texts this way (sentiment, translation)."
)
@click.option(
    "--words", type=click.IntRange(min=0), default=0, help="Join texts of a class to this length (sentiment)."
)
@click.option("--pairs", is_flag=True, help="Measure on minimal pairs of negation and idioms, not --data (sentiment).")
@click.option("--record", "wanted", is_flag=True, help="Write the result into the bundle's manifest and model card.")
@click.option("--data-set", help="What to call the data there.  [default: the file's name and the split]")
@json_option
def evaluate(
    *,
    task: str,
    bundle: Path,
    data: Path | None,
    runtime: Artifact,
    split: str,
    references: Path | None,
    beam_size: int,
    lanes: int,
    threads: int,
    variant: str | None,
    words: int,
    pairs: bool,
    wanted: bool,
    data_set: str | None,
    as_json: bool,
) -> None:
    """Measure the bundle of a TASK model: nats per character, accuracy and F1, or BLEU and chrF.

    Characters that are not in the vocabulary of a char-lm model are excluded from its nats per character and counted as
    unknown_tokens. CR LF and CR are read as LF where the vocabulary has only LF; mapped_line_ends counts them.
    """
    import torch

    from ostinato_models.evaluation.bundle import Options, record

    if references is not None and (task != "translation" or split != "all"):
        raise click.UsageError("--references goes with a translation model and all of --data.")
    if pairs == (data is not None):
        raise click.UsageError("Give --data, or --pairs for a sentiment model.")
    if pairs and task != "sentiment":
        raise click.UsageError("--pairs goes with a sentiment model.")
    if (words and task != "sentiment") or (variant and task == "char-lm"):
        raise click.UsageError("--words goes with a sentiment model, --variant with sentiment and translation.")
    options = Options(
        runtime=runtime,
        split=split,
        references=references,
        beam_size=beam_size,
        lanes=lanes,
        threads=threads,
        variant=variant,
        words=words,
    )
    torch.set_num_threads(threads)
    try:
        started = time.monotonic()
        measured = _measure(task, bundle, data, options)
        seconds = time.monotonic() - started
        if wanted:
            record(bundle, measured, options, data_set or _name(data, split))
    except (ModelsError, BundleError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    if as_json:
        result = {
            "task": task,
            **measured.measures,
            "count": measured.count,
            "runtime": runtime,
            "bundle": str(bundle),
            "seconds": round(seconds, 3),
            **measured.details,
        }
        click.echo(json.dumps(result))
    else:
        _show(task, runtime, measured, seconds)


def _name(data: Path | None, split: str) -> str:
    from ostinato_models.evaluation.files import STANDARD_INPUT

    if data is None:
        return "minimal pairs of negation and idioms"
    name = "standard input" if data == STANDARD_INPUT else data.name
    return name if split == "all" else f"{name}, {split}"


def _measure(task: str, bundle: Path, data: Path | None, options: Options) -> Measured:
    from ostinato_models.evaluation.bundle import evaluate as run

    columns = TextColumn(task), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with progress(sys.stderr, *columns) as bar:
        work = bar.add_task("", total=None)

        def report(done: int, total: int) -> None:
            bar.update(work, completed=done, total=total)

        return run(task, bundle, data, options, report)


def _show(task: str, runtime: str, measured: Measured, seconds: float) -> None:
    table = Table("", "", title=f"{task}, {runtime}", title_justify="left", show_header=False)
    table.columns[1].overflow = "fold"
    for name, value in measured.measures.items():
        table.add_row(name, f"{value:.4f}")
    table.add_row("count", f"{measured.count:,}")
    for name, detail in measured.details.items():
        if isinstance(detail, Mapping):
            detail = ", ".join(_character(character, count) for character, count in detail.items()) or "none"
        table.add_row(name, str(detail))
    table.add_row("seconds", f"{seconds:.1f}")
    console(sys.stdout).print(table)


def _character(character: str, count: int) -> str:
    """A character that a terminal may not show, with its code point and how often it came."""
    names = " ".join(f"U+{ord(each):04X}" for each in character)
    return f"{names} {character} {count:,}" if character.isprintable() else f"{names} {count:,}"
