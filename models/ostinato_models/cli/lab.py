"""`ostinato lab`: run an experiment and write its report."""

from __future__ import annotations

import json
import platform
import sys
import time
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ostinato_models.cli.options import data_dir_option, json_option
from ostinato_models.data.files import default_folder
from ostinato_models.errors import ModelsError
from ostinato_models.lab.catalogue import CATALOGUE, load_experiment
from ostinato_models.lab.errors import UnknownExperimentError
from ostinato_models.names import PresetName
from ostinato_models.terminal import progress

PACKAGES = ("torch", "numpy")
"""Whose versions a report names: its numbers come from them."""


@click.command(epilog="\b\nExample:\n  ostinato lab gradient-flow --preset quick --out runs/gradient-flow")
@click.argument("name", required=False)
@click.option(
    "--preset",
    type=click.Choice(get_args(PresetName)),
    default="quick",
    show_default=True,
    help="quick: seconds, to see that it works. full: minutes, what docs/experiments shows.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for report.md, the tables (CSV) and the plots (PNG).",
)
@click.option("--seed", type=click.IntRange(min=0), help="Decides every random number.  [default: the preset's]")
@data_dir_option
@json_option
def lab(
    *, name: str | None, preset: PresetName, out: Path | None, seed: int | None, data_dir: Path | None, as_json: bool
) -> None:
    """Run the experiment NAME and write its report; without NAME, list the experiments."""
    if name is None:
        _list(as_json)
        return
    if name in CATALOGUE and out is None:
        raise click.UsageError("--out DIR says where the report goes.")
    try:
        outcome = _run(name, preset, out or Path(), seed, data_dir or default_folder())
    except UnknownExperimentError as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error
    except (ModelsError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(asdict(outcome)))
        return
    for finding in outcome.findings:
        click.echo(f"- {finding}")
    click.echo(outcome.files[-1])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `--json` prints: what was run, what it found, the files it wrote."""

    experiment: str
    preset: PresetName
    seed: int
    seconds: float
    findings: tuple[str, ...]
    files: tuple[str, ...]


def _run(name: str, preset: PresetName, out: Path, seed: int | None, data_dir: Path) -> Outcome:
    """Run the experiment `name` and write its report into `out`."""
    from ostinato_models.lab.experiment import Context
    from ostinato_models.lab.report import Provenance, write_report  # matplotlib is slow to import

    experiment = load_experiment(name)
    settings = experiment.presets[preset]
    command = ["ostinato", "lab", name, "--preset", preset]
    if seed is not None:
        settings = replace(settings, seed=seed)
        command += ["--seed", str(seed)]
    out.mkdir(parents=True, exist_ok=True)  # a folder that cannot be made is told before the work, not after
    started, computed = time.perf_counter(), time.process_time()
    with _progress(name) as progress:
        task = progress.add_task("", total=None)
        context = Context(
            watch=lambda done, total: progress.update(task, completed=done, total=total), data_dir=data_dir
        )
        result = experiment.run(settings, context)
    seconds = time.perf_counter() - started
    processor_seconds = time.process_time() - computed
    report = experiment.report(result)
    provenance = Provenance(
        command=" ".join([*command, "--out", "DIR"]),
        settings={field.name: getattr(settings, field.name) for field in fields(settings)},
        seconds=seconds,
        processor_seconds=processor_seconds,
        versions={"Python": platform.python_version(), **{package: version(package) for package in PACKAGES}},
    )
    files = tuple(str(path) for path in write_report(report, provenance, out))
    return Outcome(name, preset, settings.seed, round(seconds, 1), report.findings, files)


def _progress(name: str) -> Progress:
    columns = TextColumn(name), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    return progress(sys.stderr, *columns)


def _list(as_json: bool) -> None:
    """Print the experiments there are."""
    if as_json:
        rows = [{"name": name, "question": entry.question} for name, entry in CATALOGUE.items()]
        click.echo(json.dumps({"experiments": rows}))
        return
    for name, entry in CATALOGUE.items():
        click.echo(f"{name:24}{entry.question}")
