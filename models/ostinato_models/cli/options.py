"""Options that the commands of the model side share."""

from __future__ import annotations

from pathlib import Path

import click

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="OSTINATO_DATA",
    show_envvar=True,
    help="Folder with the data sets; files that are not there are fetched into it.  [default: the user's cache]",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
