"""``ostinato models``: what the server serves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from ostinato_client.catalog import Model, TensorSignature
from ostinato_client.cli.options import connection_options, json_option, version_option
from ostinato_client.cli.output import write_json, write_table
from ostinato_client.client import Client


@click.command(epilog="Example: ostinato models char-lm")
@click.argument("name", required=False)
@version_option
@connection_options
@json_option
def models(
    *, connect: Callable[[], AbstractContextManager[Client]], as_json: bool, name: str | None, version: int | None
) -> None:
    """List the models that the server serves, or describe the one called NAME."""
    if name is None and version is not None:
        raise click.UsageError("--model-version needs the NAME of a model.")
    with connect() as client:
        found = client.models() if name is None else [client.model(name, version=version)]
    if as_json:
        for model in found:
            write_json(model_record(model))
    elif name is None:
        print_list(found)
    else:
        print_model(found[0])


LISTED_MEASURES = 2
"""Measures of a model in the list of models; all of them are told of one model."""


def print_list(found: Sequence[Model]) -> None:
    """Prints a table, a row a model."""
    if not found:
        click.echo("no model is loaded")
        return
    table = Table("model", "version", "task", "runtime", "device", "measured", box=None, pad_edge=False)
    for model in found:
        measured = ", ".join(f"{each.measure} {each.value:.4g}" for each in model.evaluations[:LISTED_MEASURES])
        if len(model.evaluations) > LISTED_MEASURES:
            measured += ", …"
        row = (model.name, str(model.version), model.task.value, model.runtime, model.device, measured)
        table.add_row(*(Text(cell) for cell in row))
    write_table(table)


def print_model(model: Model) -> None:
    """Prints all that is known of a model."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in facts(model):
        table.add_row(Text(label), Text(value))
    write_table(table)


def facts(model: Model) -> list[tuple[str, str]]:
    """Label and value of each fact worth showing."""
    unknown = f", unknown token {model.tokenizer.unknown_token!r}" if model.tokenizer.unknown_token is not None else ""
    limits = dataclasses.asdict(model.limits)
    return [
        ("model", f"{model.name} version {model.version}"),
        ("task", model.task.value),
        ("description", model.description),
        ("licence", model.license),
        ("runs on", f"{model.runtime}, {model.device}"),
        ("network", ", ".join(f"{key} {value}" for key, value in sorted(model.architecture.items()))),
        ("tokenizer", f"{model.tokenizer.kind}, {model.tokenizer.vocabulary_size} entries{unknown}"),
        ("limits", ", ".join(f"{key} {value}" for key, value in limits.items() if value)),
        *(
            ("measured", f"{each.measure} {each.value:.4g} on {each.data_set} ({each.runtime})")
            for each in model.evaluations
        ),
        *((f"graph {graph.name}", f"{tensors(graph.inputs)} → {tensors(graph.outputs)}") for graph in model.graphs),
    ]


def tensors(signatures: Sequence[TensorSignature]) -> str:
    """Names and shapes in a line, ``?`` for a dynamic size."""
    return ", ".join(
        f"{each.name}[{', '.join('?' if size < 0 else str(size) for size in each.shape)}]" for each in signatures
    )


def model_record(model: Model) -> dict[str, Any]:
    """The JSON object for a model."""
    return {**dataclasses.asdict(model), "task": model.task.value, "architecture": dict(model.architecture)}
