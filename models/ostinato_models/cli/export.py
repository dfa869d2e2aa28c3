"""`ostinato export`: make a served bundle of a training, or every format of a shipped bundle."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

from ostinato_bundle import Artifact, BundleError
from ostinato_models.cli.adoption import AdoptionOptions, adopt_and_write, adoption_options, foreign_parameters
from ostinato_models.errors import ModelsError
from ostinato_models.terminal import progress

if TYPE_CHECKING:
    from ostinato_models.export.source import Source
    from ostinato_models.export.writer import Target

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def _artifacts(context: click.Context, parameter: click.Parameter, value: str) -> tuple[Artifact, ...]:
    """Split a list at its commas and check it; the result is in the canonical order."""
    names = {part.strip() for part in value.split(",")}
    for name in sorted(names.difference(get_args(Artifact))):
        raise click.BadParameter(f"{name!r} is none of {', '.join(get_args(Artifact))}", context, parameter)
    return tuple(artifact for artifact in get_args(Artifact) if artifact in names)


@click.command(
    epilog="\b\n"
    "Examples:\n"
    "  ostinato export runs/char-lm --out models/pretrained \\\n"
    "    --artifacts onnx-int8\n"
    "  ostinato export --bundle models/pretrained --out repository\n"
    "  ostinato export --from-onnx lm.onnx --vocabulary characters.txt \\\n"
    "    --name mine --out repository"
)
@click.argument("run_dir", type=_FOLDER, required=False)
@click.option("--bundle", type=_FOLDER, help="A shipped bundle, or a repository of them, instead of RUN_DIR.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("repository"),
    show_default=True,
    help="The repository that the bundle goes into.",
)
@click.option("--name", help="The name to serve the model under; by default that of the task or of the bundle.")
@click.option("--version", type=click.IntRange(min=1), help="1 by default, or the bundle's.")
@click.option(
    "--artifacts",
    callback=_artifacts,
    default=",".join(get_args(Artifact)),
    show_default=True,
    help="What to derive, separated by commas.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a bundle: path, name, version, parity.")
@adoption_options
@click.pass_context
def export(
    context: click.Context,
    /,
    *,
    run_dir: Path | None,
    bundle: Path | None,
    out: Path,
    name: str | None,
    version: int | None,
    artifacts: tuple[Artifact, ...],
    as_json: bool,
    from_onnx: Path | None,
    from_torchscript: Path | None,
    **adoption: Any,
) -> None:
    """Make bundles of the training in RUN_DIR, of shipped ones, or of a model trained elsewhere, and check every file.

    A model trained elsewhere (--from-onnx, --from-torchscript) is a step of the contract, or a plain
    model: tokens (B, T) and states (L, B, H) to logits (B, T, V) and states.
    """
    if [run_dir, bundle, from_onnx, from_torchscript].count(None) != 3:
        raise click.UsageError("Give one of RUN_DIR, --bundle DIR, --from-onnx FILE and --from-torchscript FILE.")
    _check_belonging(context, foreign_parameters(from_onnx, from_torchscript))
    from ostinato_models.export.source import default_name, load_run
    from ostinato_models.export.writer import Target

    try:
        if run_dir is not None:
            source = load_run(run_dir)
            jobs = [(source, Target(out, name or default_name(source), version or 1, artifacts))]
        elif bundle is None:
            if name is None:
                raise click.UsageError("A model trained elsewhere needs --name NAME, to be served under.")
            options = AdoptionOptions(from_onnx, from_torchscript, **adoption)
            adopt_and_write(options, Target(out, name, version or 1), as_json)
            return
        else:
            jobs = _shipped(bundle, out, name, version, artifacts)
        for source, target in jobs:
            _write(source, target, as_json)
    except (ModelsError, BundleError) as error:
        raise click.ClickException(str(error)) from error


def _check_belonging(context: click.Context, foreign: Mapping[str, str]) -> None:
    """Refuse options that the kind of source has no use for."""
    for parameter in context.command.params:
        name = parameter.name or ""
        typed = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if typed and name in foreign:
            raise click.UsageError(f"{parameter.opts[0]} is for {foreign[name]} only.")


def _shipped(
    path: Path, out: Path, name: str | None, version: int | None, artifacts: Sequence[Artifact]
) -> list[tuple[Source, Target]]:
    """The bundle in a folder, or all bundles of the repository that it is."""
    from ostinato_bundle import discover, open_bundle
    from ostinato_models.export.source import load_bundle
    from ostinato_models.export.writer import Target

    folders = [path] if (path / "manifest.json").exists() else list(discover(path))
    if not folders:
        raise click.ClickException(f"{path} is neither a bundle nor a repository of bundles")
    if len(folders) > 1 and (name or version):
        raise click.UsageError(f"--name and --version are for one bundle; {path} has {len(folders)}")
    jobs = []
    for folder in folders:
        manifest = open_bundle(folder).manifest
        target = Target(out, name or manifest.name, version or manifest.version, artifacts, manifest.evaluation)
        jobs.append((load_bundle(folder), target))
    return jobs


def _write(source: Source, target: Target, as_json: bool) -> None:
    from ostinato_bundle import open_bundle
    from ostinato_models.export.writer import steps, write_bundle

    columns = TextColumn(f"{target.name} {{task.description}}"), BarColumn(), MofNCompleteColumn()
    with progress(sys.stderr, *columns) as bar:
        work = bar.add_task("", total=steps(target))

        def report(what: str) -> None:
            bar.update(work, description=what, advance=1)

        folder = write_bundle(source, target, report)
    manifest = open_bundle(folder).manifest
    if as_json:
        parity = [row.model_dump() for row in manifest.parity]
        click.echo(
            json.dumps({"path": str(folder), "name": manifest.name, "version": manifest.version, "parity": parity})
        )
    else:
        size = sum(record.bytes for record in manifest.files.values())
        click.echo(
            f"{folder}: {len(manifest.files)} files, {size / 1e6:.1f} MB, {len(manifest.parity)} parity checks hold"
        )
