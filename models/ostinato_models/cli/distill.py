"""`ostinato distill`: let a large teacher learn the task and label texts for a small network."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import click

from ostinato_models.cli.options import data_dir_option, given_options, json_option
from ostinato_models.data.corpora import find_data_set
from ostinato_models.data.examples import SentimentCorpus, TranslationCorpus
from ostinato_models.data.files import default_folder
from ostinato_models.errors import ModelsError
from ostinato_models.training.configuration import Precision


@click.command(
    epilog="\b\n"
    "Example:\n"
    "  ostinato distill sentiment --out runs/teacher\n"
    "  ostinato train sentiment --preset full --out runs/sentiment \\\n"
    "    --soft-labels runs/teacher/soft_labels.tsv"
)
@click.argument("task", type=click.Choice(["sentiment"]))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Run directory: the teacher's checkpoint and weights, and soft_labels.tsv.",
)
@data_dir_option
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Decides head, order and texts.")
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the training data.")
@click.option("--precision", type=click.Choice(get_args(Precision)), help="Type of the products (autocast).")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.")
@click.option("--resume", is_flag=True, help="Go on from the run directory's checkpoint, if it has one.")
@json_option
def distill(
    *,
    task: str,
    out: Path,
    data_dir: Path | None,
    device: str,
    seed: int,
    epochs: int | None,
    precision: Precision | None,
    threads: int | None,
    resume: bool,
    as_json: bool,
) -> None:
    """Fine-tune a teacher on TASK and write its soft labels."""
    from ostinato_models.distillation.run import FINE_TUNING, SOFT_LABELS
    from ostinato_models.distillation.run import distill as run
    from ostinato_models.distillation.teacher import find_teacher, load_teacher
    from ostinato_models.distillation.transfer import TransferSettings
    from ostinato_models.training.run import choose_device

    try:
        if (out / "checkpoint.pt").exists() and not resume:
            raise click.ClickException(f"run directory {out}: already holds a training: resume it or choose another")
        teacher, tokenizer = load_teacher(find_teacher(), seed)
        folder = data_dir or default_folder()
        corpus = find_data_set("sst2").load(folder)
        everyday = find_data_set("tatoeba-en-fr").load(folder)
        assert isinstance(corpus, SentimentCorpus)  # noqa: S101 (for the type checker)
        assert isinstance(everyday, TranslationCorpus)  # noqa: S101
        record = run(
            teacher,
            tokenizer,
            corpus,
            [pair.source for pair in everyday.train],
            out,
            fine_tuning=replace(
                FINE_TUNING,
                seed=seed,
                epochs=epochs or FINE_TUNING.epochs,
                precision=precision or FINE_TUNING.precision,
                threads=threads or FINE_TUNING.threads,
            ),
            transfer=TransferSettings(),
            device=choose_device(device),
            command=["ostinato", "distill", task, *given_options(click.get_current_context())],
            stream=sys.stderr,
        )
    except (ModelsError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(record) if as_json else out / SOFT_LABELS)


if __name__ == "__main__":
    distill()
