"""`ostinato train`: learn a model and leave a run directory for `ostinato export`."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import click

from ostinato_models.cli.options import data_dir_option, given_options, json_option
from ostinato_models.data.corpora import DATA_SETS
from ostinato_models.data.files import default_folder
from ostinato_models.errors import ModelsError
from ostinato_models.names import TASKS, AttentionName, CellName, PresetName, TaskName
from ostinato_models.training.configuration import Precision

if TYPE_CHECKING:
    from ostinato_models.presets import Preset

AttentionOption: TypeAlias = AttentionName | Literal["none"]


@click.command()
@click.argument("task", type=click.Choice(TASKS))
@click.option(
    "--preset",
    "preset_name",
    type=click.Choice(get_args(PresetName)),
    default="quick",
    show_default=True,
    help="quick: seconds, no data needed. full: real data, the shipped models.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Run directory: checkpoint, weights, tokenizer, configuration, TensorBoard log.",
)
@click.option("--dataset", type=click.Choice(list(DATA_SETS)), help="Another data set for the task.")
@data_dir_option
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), help="Decides weights, data order and dropout.")
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the training data.")
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), help="Peak of the schedule.")
@click.option("--precision", type=click.Choice(get_args(Precision)), help="Type of the products (autocast).")
@click.option("--patience", type=click.IntRange(min=0), help="Epochs without improvement; 0 never stops early.")
@click.option("--final-teacher-forcing", type=click.FloatRange(0, 1), help="Share of true tokens fed at the end.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; recorded, since sums depend on it.")
@click.option("--cell", type=click.Choice(get_args(CellName)), help="Recurrent cell (char-lm, sentiment).")
@click.option(
    "--attention", type=click.Choice([*get_args(AttentionName), "none"]), help="Attention score (translation)."
)
@click.option(
    "--soft-labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A teacher's judgements, as `ostinato distill` writes them (sentiment).",
)
@click.option("--resume", is_flag=True, help="Go on from the run directory's checkpoint, if it has one.")
@json_option
def train(
    *,
    task: TaskName,
    preset_name: PresetName,
    out: Path,
    dataset: str | None,
    data_dir: Path | None,
    device: str,
    cell: CellName | None,
    attention: AttentionOption | None,
    soft_labels: Path | None,
    resume: bool,
    as_json: bool,
    **changes: Any,
) -> None:
    """Train TASK and leave its run directory in --out."""
    from ostinato_models.presets import preset as find_preset
    from ostinato_models.training.run import choose_device  # torch is slow to import, its compiler slower
    from ostinato_models.training.run import train as run

    try:
        chosen = find_preset(task, preset_name, dataset)
        given = {name: value for name, value in changes.items() if value is not None}
        chosen = replace(
            _with_network(chosen, cell, attention),
            training=replace(chosen.training, **given),
        )
        record = run(
            chosen,
            out,
            folder=data_dir or default_folder(),
            device=choose_device(device),
            resume=resume,
            command=["ostinato", "train", task, *given_options(click.get_current_context())],
            stream=sys.stderr,
            soft_labels=soft_labels,
        )
    except (ModelsError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(record))


def _with_network(chosen: Preset, cell: CellName | None, attention: AttentionOption | None) -> Preset:
    """The preset with another cell or attention.

    Raises:
        click.UsageError: the task's network has no such part.
    """
    from ostinato_models.networks import Seq2SeqConfig

    model = chosen.model
    if isinstance(model, Seq2SeqConfig):
        if cell is not None:
            raise click.UsageError(f"--cell has no meaning for {chosen.task}: it is an LSTM.")
        if attention is not None:
            changed = None if attention == "none" else attention
            return replace(chosen, model=replace(model, attention=changed))
        return chosen
    if attention is not None:
        raise click.UsageError(f"--attention has no meaning for {chosen.task}.")
    return chosen if cell is None else replace(chosen, model=replace(model, cell=cell))


if __name__ == "__main__":
    train()
