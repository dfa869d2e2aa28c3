"""`ostinato train`: learn a model and leave a run directory for `ostinato export`."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import click

from ostinato_models.data.files import default_folder
from ostinato_models.errors import ModelsError
from ostinato_models.presets import TASKS, PresetName, TaskName, preset as find_preset

TRAINING_OPTIONS = ("epochs", "seed", "threads", "precision", "learning_rate")


@click.command()
@click.argument("task", type=click.Choice(TASKS))
@click.option("--preset", type=click.Choice(get_args(PresetName)), default="quick", show_default=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--dataset", help="Another data set for the task, for example multi30k-de-en.")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path))
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--seed", type=click.IntRange(min=0))
@click.option("--epochs", type=click.IntRange(min=1))
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True))
@click.option("--precision", type=click.Choice(["fp32", "bf16", "fp16"]))
@click.option("--threads", type=click.IntRange(min=1))
@click.option("--resume", is_flag=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def train(
    context: click.Context,
    *,
    task: TaskName,
    preset: PresetName,
    out: Path,
    dataset: str | None,
    data_dir: Path | None,
    device: str,
    resume: bool,
    as_json: bool,
    **changes: Any,
) -> None:
    """Train TASK and leave its run directory in --out."""
    from ostinato_models.training.run import choose_device, train as run

    try:
        chosen = find_preset(task, preset)
        given = {name: value for name, value in changes.items() if value is not None}
        chosen = replace(
            chosen,
            training=replace(chosen.training, **given),
            dataset=dataset or chosen.dataset,
        )
        record = run(
            chosen,
            out,
            folder=data_dir or default_folder(),
            device=choose_device(device),
            resume=resume,
            command=["ostinato", "train", task, *_given_options(context)],
            stream=sys.stderr,
        )
    except ModelsError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(record, ensure_ascii=False))


def _given_options(context: click.Context) -> list[str]:
    """The options the person typed, in the command's own order, folders left out."""
    options: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if (
            not isinstance(parameter, click.Option)
            or source is not click.core.ParameterSource.COMMANDLINE
            or name in ("data_dir", "as_json", "resume")
        ):
            continue
        options += [parameter.opts[0], str(context.params[name])]
    return options


if __name__ == "__main__":
    train()
