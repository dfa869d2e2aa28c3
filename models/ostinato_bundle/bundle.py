"""Finding bundles in a repository and opening one, verified."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from ostinato_bundle.errors import BundleError
from ostinato_bundle.formats import check_safetensors, check_torchscript
from ostinato_bundle.manifest import MAX_FILES, MODEL_NAME_PATTERN, Artifact, Manifest

MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"
VERSION = re.compile(r"[1-9][0-9]{0,9}")
"""A folder's name is its version as the manifest writes it."""

MODEL_NAME = re.compile(MODEL_NAME_PATTERN)
"""A folder's name is its model's name as the manifest writes it."""

Fingerprint = tuple[tuple[str, int, int, int], ...]
"""Name, size, ctime in nanoseconds and inode of each file; a copy may carry the mtime over, but never the ctime."""

MAX_MANIFEST_BYTES = 1 << 20
"""A real manifest is some ten kilobytes; a larger file is no manifest."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle.

    Attributes:
        path: Its folder.
        manifest: What it says about itself; the sha256 of every file listed was found to hold.
    """

    path: Path
    manifest: Manifest

    @property
    def tokenizer_path(self) -> Path:
        """The tokenizer file."""
        return self.path / TOKENIZER

    def read(self, name: str) -> bytes:
        """A file's content, which is what was verified even if the file has been written to since.

        Raises:
            BundleError: The manifest does not list it, or it has changed.
        """
        file, record = self.path / name, self.manifest.files.get(name)
        if record is None:
            raise BundleError(file, "is not listed in the manifest")
        try:
            with file.open("rb") as opened:
                content = opened.read(record.bytes + 1)
        except OSError as error:
            raise BundleError(file, f"cannot be read: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != record.sha256:
            raise BundleError(file, "has changed since it was verified")
        return content

    def graph_path(self, graph: str, artifact: Artifact) -> Path:
        """The file that holds a graph for a runtime.

        Raises:
            BundleError: The bundle has no such file.
        """
        try:
            return self.path / self.manifest.graphs[graph].artifacts[artifact]
        except KeyError:
            raise BundleError(self.path, f"no {artifact} file for the graph {graph}") from None


def open_bundle(path: Path) -> Bundle:
    """Reads and verifies the bundle in a folder.

    Args:
        path: The folder ``<repository>/<model>/<version>``.

    Raises:
        BundleError: The manifest is missing, malformed or too large, a file is missing, links elsewhere or has
            another sha256 than the manifest says, weights or TorchScript are something else, or there are too many
            files.
    """
    manifest = read_manifest(path / MANIFEST)
    if len(fingerprint(path)) > MAX_FILES:
        raise BundleError(path, f"holds more than {MAX_FILES} files")
    for name, record in manifest.files.items():
        file = path / name
        if file.is_symlink() or not file.is_file():
            raise BundleError(file, "is listed in the manifest but is no plain file of the bundle")
        size = file.stat().st_size
        if size != record.bytes:
            raise BundleError(file, f"has {size} bytes, the manifest says {record.bytes}")
        if file_sha256(file) != record.sha256:
            raise BundleError(file, "has another sha256 than the manifest says")
    _check_formats(path, manifest)
    return Bundle(path, manifest)


def read_manifest(path: Path) -> Manifest:
    """Reads a manifest; of the files that it lists, nothing is looked at.

    Raises:
        BundleError: It is missing, malformed, a link or too large.
    """
    if path.is_symlink():
        raise BundleError(path, "is a link; a manifest lies in its bundle")
    if not path.is_file():
        raise BundleError(path, "is missing; it is written last, so the bundle is not complete")
    with path.open("rb") as file:
        content = file.read(MAX_MANIFEST_BYTES + 1)
    if len(content) > MAX_MANIFEST_BYTES:
        raise BundleError(path, f"has {path.stat().st_size} bytes; a manifest has at most {MAX_MANIFEST_BYTES}")
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise BundleError(path, f"{where}: {first['msg']}") from error


class Survey(NamedTuple):
    """What a repository's folder holds.

    Attributes:
        bundles: The bundle folders of each model, by name, then version, ascending; an empty list for a model's folder
            without versions.
        skipped: Why an entry is not looked at: ``NAME`` or ``NAME/VERSION``, and the reason. Plain files beside the
            models, and what lies beside a model's versions, are not among them.
    """

    bundles: dict[str, list[Path]]
    skipped: dict[str, str]


def survey(repository: Path) -> Survey:
    """Lists the bundle folders of a repository; an entry that cannot be read does not hide the others.

    Raises:
        BundleError: The repository is not a folder.
        OSError: The repository itself cannot be listed.
    """
    if not repository.is_dir():
        raise BundleError(repository, "is no folder")
    found = Survey({}, {})
    for folder in sorted(repository.iterdir()):
        try:
            mode = folder.stat().st_mode
            if stat.S_ISREG(mode):
                continue
            if (reason := _not_a_model(folder.name, mode)) is not None:
                found.skipped[folder.name] = reason
            else:
                found.bundles[folder.name] = _versions(folder, found.skipped)
        except OSError as error:
            found.skipped[folder.name] = f"cannot be read ({error.strerror})"
    return found


def _not_a_model(name: str, mode: int) -> str | None:
    """Why an entry of a repository cannot be a model's folder, if it cannot."""
    if not stat.S_ISDIR(mode):
        return "is not a folder"
    if name.startswith("."):
        return "is hidden"
    if not MODEL_NAME.fullmatch(name):
        return "is not a name that a model can have"
    return None


def _versions(model: Path, skipped: dict[str, str]) -> list[Path]:
    """The version folders of a model, ascending."""
    versions = []
    for folder in model.iterdir():
        if VERSION.fullmatch(folder.name):
            try:
                if stat.S_ISDIR(folder.stat().st_mode):
                    versions.append(folder)
            except OSError as error:
                skipped[f"{model.name}/{folder.name}"] = f"cannot be read ({error.strerror})"
    return sorted(versions, key=lambda folder: int(folder.name))


def discover(repository: Path) -> Iterator[Path]:
    """Yields the bundle folders of a repository, by model name, then version, ascending.

    Raises:
        BundleError: The repository is not a folder.
        OSError: The repository itself cannot be listed.
    """
    for versions in survey(repository).bundles.values():
        yield from versions


def fingerprint(path: Path) -> Fingerprint:
    """The files of a bundle folder as the file system knows them, unopened: other after any of them was written.

    Nothing if there is no such folder.
    """
    try:
        with os.scandir(path) as entries:
            files = list(islice(entries, MAX_FILES + 1))
            stats = [(file.name, file.stat(follow_symlinks=False)) for file in files]
    except OSError:
        return ()
    return tuple(sorted((name, stat.st_size, stat.st_ctime_ns, stat.st_ino) for name, stat in stats))


def file_sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_formats(path: Path, manifest: Manifest) -> None:
    for name in manifest.files:
        if name.endswith(".safetensors"):
            check_safetensors(path / name)
    for name in sorted({graph.artifacts.get("torchscript", "") for graph in manifest.graphs.values()} - {""}):
        check_torchscript(path / name)
