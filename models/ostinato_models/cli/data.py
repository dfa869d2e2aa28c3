"""`ostinato data`: which data sets there are, and fetching them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ostinato_models.cli.options import data_dir_option, json_option
from ostinato_models.data.corpora import DATA_SETS, find_data_set
from ostinato_models.data.files import default_folder, is_present, locate
from ostinato_models.errors import ModelsError


@click.group()
def data() -> None:
    """List and fetch the data sets that training uses."""


@data.command("list")
@data_dir_option
@json_option
def list_command(*, data_dir: Path | None, as_json: bool) -> None:
    """Show every data set, its task and licence, and whether its files are in the data folder."""
    folder = _folder(data_dir)
    rows = [_describe(name, folder) for name in DATA_SETS]
    if as_json:
        click.echo(json.dumps({"folder": str(folder), "data_sets": rows}))
        return
    click.echo(f"data folder: {folder}")
    for row in rows:
        click.echo(f"{row['name']:24}{row['task']:13}{row['status']:11}{row['licence']}")


@data.command("fetch")
@click.argument("names", nargs=-1, required=True, type=click.Choice(list(DATA_SETS)), metavar="NAME...")
@data_dir_option
@json_option
def fetch_command(*, names: Sequence[str], data_dir: Path | None, as_json: bool) -> None:
    """Put the files of each data set NAME into the data folder and check their hashes."""
    folder = _folder(data_dir)
    for name in names:
        for file in find_data_set(name).needed(folder):
            try:
                located = locate(file, folder)
            except (ModelsError, OSError) as error:
                raise click.ClickException(str(error)) from error
            checked = "verified" if located.known else "not a known version, recorded"
            if as_json:
                click.echo(json.dumps({"data_set": name, "file": str(located.path), "sha256": located.sha256}))
            else:
                click.echo(f"{located.path}  sha256 {located.sha256} ({checked})")


def _folder(data_dir: Path | None) -> Path:
    try:
        return data_dir or default_folder()
    except ModelsError as error:
        raise click.ClickException(str(error)) from error


def _describe(name: str, folder: Path) -> dict[str, Any]:
    found = DATA_SETS[name]
    files = found.needed(folder)
    present = all(is_present(file, folder) for file in files)
    return {
        "name": name,
        "task": found.task,
        "status": "built in" if not files else "present" if present else "to fetch",
        "licence": found.licence,
        "files": [{"name": file.name, "address": file.address, "sha256": file.sha256} for file in files],
    }
