"""Writing a bundle: every file, its sha256, and the manifest, at once or not at all."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError
from safetensors.numpy import save

from ostinato_bundle import (
    Artifact,
    Evaluation,
    FileRecord,
    Graph,
    Manifest,
    Parity,
    Provenance,
    file_sha256,
    open_bundle,
)
from ostinato_bundle.manifest import ModelName
from ostinato_models.export.card import model_card
from ostinato_models.export.datasets import describe
from ostinato_models.export.errors import ExportError
from ostinato_models.export.execution import one_thread
from ostinato_models.export.graphs import TaskGraphs, graphs_of, onnx_model, write_artifact
from ostinato_models.export.parity import measure_parity
from ostinato_models.export.shared_tensors import save_graphs
from ostinato_models.export.source import RECORD, Source

ALL_ARTIFACTS: tuple[Artifact, ...] = ("onnx-int8", "onnx", "torchscript")
_SUFFIXES: Mapping[Artifact, str] = {"onnx-int8": "int8.onnx", "onnx": "onnx", "torchscript": "torchscript.pt"}
MANIFEST = "manifest.json"
CARD = "README.md"
UNKNOWN = FileRecord(sha256="0" * 64, bytes=0)
"""Stands for a file's record until `write_manifest` has seen the file."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a bundle goes and what it holds."""

    repository: Path
    name: str
    version: int = 1
    artifacts: Sequence[Artifact] = ALL_ARTIFACTS
    evaluation: Sequence[Evaluation] = ()

    @property
    def folder(self) -> Path:
        """The bundle's folder."""
        return self.repository / self.name / str(self.version)


def write_bundle(source: Source, target: Target, report: Callable[[str], None] = lambda _: None) -> Path:
    """Export a source, check parity, and put the bundle in its place, replacing one that is there.

    Args:
        source: the trained network.
        target: where the bundle goes.
        report: told what is written or checked next.

    Returns:
        The bundle's folder.

    Raises:
        ParityError: an artifact's numbers are too far from PyTorch's; nothing is written.
        ExportError: the bundle cannot be written.
    """

    def fill(folder: Path) -> None:
        with one_thread():
            _fill(folder, source, target, report)

    return place_bundle(target, fill)


def place_bundle(target: Target, fill: Callable[[Path], None]) -> Path:
    """Make a bundle beside its place, verify it, and rename it into its place, replacing one that is there.

    Args:
        target: where the bundle goes.
        fill: writes every file of it into the folder that it is given, the manifest last.

    Returns:
        The bundle's folder.

    Raises:
        ExportError: the name is none that can be served, or the bundle cannot be written.
        BundleError: what was written is no bundle.
    """
    try:
        TypeAdapter(ModelName).validate_python(target.name)
    except ValidationError:
        raise ExportError(f"{target.name!r} is no model name: lower-case letters, digits, '.', '_' and '-'") from None
    try:
        target.folder.parent.mkdir(parents=True, exist_ok=True)
        # In the same file system, so that the last step is a rename; the name is no version, so nobody serves it.
        with tempfile.TemporaryDirectory(prefix=".export-", dir=target.folder.parent) as temporary:
            folder = Path(temporary) / "bundle"
            folder.mkdir()
            fill(folder)
            open_bundle(folder)
            if target.folder.exists():
                target.folder.rename(Path(temporary) / "replaced")
            folder.rename(target.folder)
    except OSError as error:
        raise ExportError(f"{target.folder}: {error.strerror or error}") from error
    return target.folder


def steps(target: Target) -> int:
    """How many times `write_bundle` reports: for each artifact when it is written and when it is checked."""
    return 2 * len(target.artifacts)


def _fill(folder: Path, source: Source, target: Target, report: Callable[[str], None]) -> None:
    graphs = graphs_of(source)
    halves = {name: np.ascontiguousarray(value.astype(np.float16)) for name, value in source.weights.items()}
    (folder / "weights.safetensors").write_bytes(save(halves))
    (folder / "tokenizer.json").write_text(source.tokenizer, encoding="utf-8")
    (folder / RECORD).write_text(json.dumps(source.record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    files: dict[str, dict[Artifact, str]] = {name: {} for name in graphs.served}
    for artifact in target.artifacts:
        for name in graphs.served:
            files[name][artifact] = f"{name}.{_SUFFIXES[artifact]}"
        report(artifact)
        _write_graphs(folder, graphs, artifact, {name: files[name][artifact] for name in files})
    parity: list[Parity] = []
    for artifact in target.artifacts:
        report(f"parity of {artifact}")
        parity += measure_parity(source, graphs, artifact, {name: folder / files[name][artifact] for name in files})
    manifest = _manifest(source, target, graphs, files, parity)
    write_manifest(folder, manifest, model_card(manifest, source.record))


def _write_graphs(folder: Path, graphs: TaskGraphs, artifact: Artifact, files: Mapping[str, str]) -> None:
    """Write all graphs in one format."""
    if artifact == "torchscript":
        for name, file in files.items():
            write_artifact(graphs, name, artifact, folder / file)
    else:
        models = {folder / file: onnx_model(graphs, name, artifact) for name, file in files.items()}
        save_graphs(models, folder / f"tensors.{_SUFFIXES[artifact].removesuffix('onnx')}bin")


def _manifest(
    source: Source,
    target: Target,
    graphs: TaskGraphs,
    files: Mapping[str, Mapping[Artifact, str]],
    parity: Sequence[Parity],
) -> Manifest:
    record = source.record
    facts = describe(record["data"]["name"])
    signatures = graphs.signatures()
    return Manifest(
        format_version=1,
        name=target.name,
        version=target.version,
        task=source.task,
        description=facts.description,
        license=facts.license,
        architecture={"network": type(source.config).__name__.removesuffix("Config"), **source.config.to_dict()},
        tokenizer=source.tokenizer_facts(),
        limits=graphs.limits,
        graphs={
            name: Graph(inputs=signatures[name].inputs, outputs=signatures[name].outputs, artifacts=dict(files[name]))
            for name in graphs.served
        },
        parity=tuple(parity),
        evaluation=tuple(target.evaluation),
        provenance=Provenance(
            command=record["command"],
            seed=record["seed"],
            data_sets=dict(record["data"]["files"]),
            libraries=dict(record["libraries"]),
        ),
        files=dict.fromkeys(
            ["tokenizer.json", *(file for kinds in files.values() for file in kinds.values())], UNKNOWN
        ),
    )


def write_manifest(folder: Path, manifest: Manifest, card: str) -> None:
    """Write a bundle's model card and its manifest, with the sha256 of every file as it is now."""
    (folder / CARD).write_text(card, encoding="utf-8")
    files = {
        file.name: FileRecord(sha256=file_sha256(file), bytes=file.stat().st_size)
        for file in sorted(folder.iterdir())
        if file.name != MANIFEST
    }
    complete = manifest.model_copy(update={"files": files})
    partial = folder / f".{MANIFEST}.partial"
    partial.write_text(complete.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8")
    partial.replace(folder / MANIFEST)
