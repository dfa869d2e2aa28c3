"""``ostinato models``: what the server serves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import click

from ostinato_client.catalog import Model, RepositoryEntry, TensorSignature
from ostinato_client.cli.options import connection_options, json_option, version_option
from ostinato_client.cli.output import write_facts, write_json, write_rows
from ostinato_client.client import Client


@click.command(epilog="\b\nExample:\n  ostinato models char-lm")
@click.argument("name", required=False)
@version_option
@click.option("--load", metavar="NAME", help="Load a model, in the version of --model-version or those of the policy.")
@click.option("--unload", metavar="NAME", help="Stop serving a model, or one version of it; its requests run on.")
@click.option("--repository", is_flag=True, help="List what the repository holds, loaded or not.")
@connection_options
@json_option
def models(
    *,
    connect: Callable[[], AbstractContextManager[Client]],
    as_json: bool,
    name: str | None,
    version: int | None,
    load: str | None,
    unload: str | None,
    repository: bool,
) -> None:
    """List the models that the server serves, or describe the one called NAME.

    --load and --unload need a server that runs with --model-control=explicit; they list what is served of the model
    then.
    """
    if sum((name is not None, load is not None, unload is not None, repository)) > 1:
        raise click.UsageError("Give one of NAME, --load, --unload and --repository.")
    if version is not None and (repository or not (name or load or unload)):
        raise click.UsageError("--model-version needs the NAME of a model.")
    with connect() as client:
        if repository:
            show_repository(client.repository(), as_json=as_json)
        elif name is not None:
            show_model(client.model(name, version=version), as_json=as_json)
        elif load is not None:
            show_list(client.load_model(load, version=version), as_json=as_json)
        elif unload is not None:
            show_list(client.unload_model(unload, version=version), as_json=as_json)
        else:
            show_list(client.models(), as_json=as_json)


def show_list(found: Sequence[Model], *, as_json: bool) -> None:
    """Writes models, one a line."""
    if as_json:
        for model in found:
            write_json(model_record(model))
    else:
        print_list(found)


def show_model(model: Model, *, as_json: bool) -> None:
    """Writes all that is known of a model."""
    if as_json:
        write_json(model_record(model))
    else:
        print_model(model)


def show_repository(entries: Sequence[RepositoryEntry], *, as_json: bool) -> None:
    """Writes what the repository holds, a version a line."""
    if as_json:
        for entry in entries:
            write_json({**dataclasses.asdict(entry), "state": entry.state.value})
        return
    rows = [(entry.model, str(entry.version), entry.state.value, entry.reason) for entry in entries]
    write_rows(("model", "version", "state", "reason"), rows)


LISTED_MEASURES = 2
"""Measures of a model in the list of models; all of them are told of one model."""


def print_list(found: Sequence[Model]) -> None:
    """Prints a table, a row a model."""
    if not found:
        click.echo("no model is loaded")
        return
    rows = []
    for model in found:
        measured = ", ".join(f"{each.measure} {each.value:.4g}" for each in model.evaluations[:LISTED_MEASURES])
        if len(model.evaluations) > LISTED_MEASURES:
            measured += ", …"
        rows.append((model.name, str(model.version), model.task.value, model.runtime, model.device, measured))
    write_rows(("model", "version", "task", "runtime", "device", "measured"), rows)


def print_model(model: Model) -> None:
    """Prints all that is known of a model."""
    write_facts(facts(model))


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
        (
            "limits",
            ", ".join(
                f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"
                for key, value in limits.items()
                if value
            ),
        ),
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
