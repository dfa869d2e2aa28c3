"""The public surface: small, sorted, complete, and cheap to import."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

import ostinato_client
from ostinato_client import OstinatoError, catalog, errors, results, streams


def test_all_is_sorted_and_every_name_in_it_is_there() -> None:
    assert ostinato_client.__all__ == sorted(ostinato_client.__all__)
    for name in ostinato_client.__all__:
        assert getattr(ostinato_client, name).__name__ == name


def test_all_names_every_error_and_every_result() -> None:
    missing = set(errors.__all__)
    for module in (results, catalog):
        missing |= {
            name
            for name, value in vars(module).items()
            if isinstance(value, type) and value.__module__ == module.__name__
        }
    missing |= {"Client", "AsyncClient", "GenerationStream", "TranslationStream", "ScoreStream"}
    assert missing <= set(ostinato_client.__all__)
    assert streams.GenerationStream is ostinato_client.GenerationStream


def test_all_errors_stand_in_the_tree_of_the_docstring() -> None:
    for name in errors.__all__:
        assert errors.__doc__ is not None
        assert name == "FieldViolation" or name in errors.__doc__
        assert name == "FieldViolation" or issubclass(getattr(errors, name), OstinatoError)


@pytest.mark.parametrize("module", [results, catalog])
def test_results_are_frozen_and_slotted(module: object) -> None:
    records = [value for value in vars(module).values() if dataclasses.is_dataclass(value)]
    assert records
    for record in records:
        assert record.__dataclass_params__.frozen, record  # type: ignore[union-attr]
        assert hasattr(record, "__slots__"), record


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = ostinato_client.Nothing


def test_the_client_needs_only_the_bare_install() -> None:
    heavy = (
        "torch",
        "onnxruntime",
        "tokenizers",
        "pydantic",
        "prometheus_client",
        "matplotlib",
        "opentelemetry",
        "ostinato_server",
    )
    code = f"import sys; from ostinato_client import *; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
