"""Which bundles a benchmark without a server of its own opens."""

from __future__ import annotations

from pathlib import Path

import click


def default_repository() -> Path:
    """``repository/`` where it was derived, else the shipped bundles."""
    derived = Path("repository")
    return derived if derived.is_dir() else Path("models/pretrained")


repository_option = click.option(
    "--repository",
    type=click.Path(path_type=Path),
    default=default_repository,
    envvar="OSTINATO_REPOSITORY",
    show_envvar=True,
    show_default="repository/, else models/pretrained",
    metavar="DIR",
    help="Folder of the model bundles.",
)
