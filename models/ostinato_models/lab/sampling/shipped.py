"""Where a shipped model is: looked for where `ostinato serve` looks."""

from __future__ import annotations

import os
from pathlib import Path

import ostinato_bundle
from ostinato_bundle import BundleError, discover
from ostinato_models.export.source import Source, load_bundle
from ostinato_models.lab.errors import ShippedModelError

REPOSITORY_VARIABLE = "OSTINATO_REPOSITORY"


def load_shipped(name: str) -> Source:
    """Load the newest version of the model called `name`, verified.

    Raises:
        ShippedModelError: there is none, or its files are not what its manifest says.
        ExportError: it was not made by this project's training.
    """
    repository = default_repository()
    try:
        found = [path for path in discover(repository) if path.parent.name == name]
        if not found:
            raise ShippedModelError(name, repository, "no version of it is there")
        return load_bundle(found[-1])
    except BundleError as error:
        raise ShippedModelError(name, repository, str(error)) from error


def default_repository() -> Path:
    """``OSTINATO_REPOSITORY``, else ``repository/`` in the current folder, else the checkout's shipped models."""
    named = os.environ.get(REPOSITORY_VARIABLE)
    if named:
        return Path(named)
    return ostinato_bundle.default_repository() or Path("models/pretrained")
