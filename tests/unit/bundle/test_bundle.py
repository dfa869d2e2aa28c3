import errno
import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.hollow import FILES, write

from ostinato_bundle import BundleError, discover, file_sha256, fingerprint, open_bundle, survey
from ostinato_bundle.bundle import MAX_MANIFEST_BYTES
from ostinato_bundle.manifest import MAX_FILES


def test_bundle_whose_hashes_hold_is_opened(tmp_path: Path) -> None:
    bundle = open_bundle(write(tmp_path / "1"))
    assert bundle.manifest.name == "m"
    assert bundle.tokenizer_path == tmp_path / "1" / "tokenizer.json"
    assert bundle.graph_path("step", "onnx") == tmp_path / "1" / "step.onnx"


def test_graph_without_a_file_for_the_runtime_is_named(tmp_path: Path) -> None:
    bundle = open_bundle(write(tmp_path / "1"))
    with pytest.raises(BundleError, match="no torchscript file for the graph step"):
        bundle.graph_path("step", "torchscript")
    with pytest.raises(BundleError, match="no onnx file for the graph prefill"):
        bundle.graph_path("prefill", "onnx")


def test_changed_file_is_refused_and_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "1")
    (folder / "step.onnx").write_bytes(b"grapH")
    with pytest.raises(BundleError, match="has another sha256 than the manifest says") as refused:
        open_bundle(folder)
    assert refused.value.path == folder / "step.onnx"


def test_file_of_another_size_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "1")
    (folder / "README.md").write_bytes(b"card, longer")
    with pytest.raises(BundleError, match="has 12 bytes, the manifest says 4"):
        open_bundle(folder)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "1")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BundleError, match="is no plain file of the bundle"):
        open_bundle(folder)


def test_file_that_links_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "1")
    (tmp_path / "outside").write_bytes(FILES["step.onnx"])
    (folder / "step.onnx").unlink()
    (folder / "step.onnx").symlink_to(tmp_path / "outside")
    with pytest.raises(BundleError, match="is no plain file of the bundle"):
        open_bundle(folder)


def test_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json: is missing"):
        open_bundle(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "manifest: Invalid JSON"), ("[]", "manifest: "), ('{"name": "m"}', "format_version: Field")],
)
def test_malformed_manifest_is_refused_and_the_place_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(BundleError, match=message):
        open_bundle(tmp_path)


def test_manifest_too_large_to_be_one_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(b" " * (MAX_MANIFEST_BYTES + 1))
    with pytest.raises(BundleError, match="a manifest has at most"):
        open_bundle(tmp_path)


def test_manifest_that_links_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "1")
    (folder / "manifest.json").rename(tmp_path / "outside")
    (folder / "manifest.json").symlink_to(tmp_path / "outside")
    with pytest.raises(BundleError, match=r"manifest\.json: is a link; a manifest lies in its bundle"):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "sub/step.onnx", ".hidden", "..", "a\\b", ""])
def test_path_out_of_the_bundle_is_refused(tmp_path: Path, name: str) -> None:
    record = {"sha256": "0" * 64, "bytes": 1}
    folder = write(tmp_path / "1", files={"step.onnx": record, "tokenizer.json": record, name: record})
    with pytest.raises(BundleError, match=r"manifest\.json: files\."):
        open_bundle(folder)


def test_crowded_folder_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "1")
    for number in range(MAX_FILES):
        (folder / f"{number}.txt").touch()
    with pytest.raises(BundleError, match=f"holds more than {MAX_FILES} files"):
        open_bundle(folder)


def test_pickle_in_the_place_of_weights_is_refused_though_its_sha256_holds(tmp_path: Path) -> None:
    content = pickle.dumps({"weight": [0.5] * 10})
    record = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    listed = {name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in FILES.items()}
    folder = write(tmp_path / "1", files={**listed, "weights.safetensors": record})
    (folder / "weights.safetensors").write_bytes(content)
    with pytest.raises(BundleError, match=r"weights\.safetensors: is no safetensors file: it begins as a pickle does"):
        open_bundle(folder)


def test_file_is_read_as_it_was_verified_or_not_at_all(tmp_path: Path) -> None:
    bundle = open_bundle(write(tmp_path / "1"))
    assert bundle.read("step.onnx") == FILES["step.onnx"]
    (tmp_path / "1" / "step.onnx").write_bytes(b"grapH")
    with pytest.raises(BundleError, match=r"step\.onnx: has changed since it was verified"):
        bundle.read("step.onnx")
    (tmp_path / "1" / "step.onnx").unlink()
    with pytest.raises(BundleError, match=r"step\.onnx: cannot be read: No such file"):
        bundle.read("step.onnx")
    with pytest.raises(BundleError, match="is not listed in the manifest"):
        bundle.read("manifest.json")


def test_fingerprint_differs_after_any_file_was_written_added_or_taken_away(tmp_path: Path) -> None:
    folder = write(tmp_path / "1")
    before = fingerprint(folder)
    assert fingerprint(folder) == before
    (folder / "step.onnx").write_bytes(b"graph, longer")
    longer = fingerprint(folder)
    (folder / "new").touch()
    added = fingerprint(folder)
    (folder / "README.md").unlink()
    assert len({before, longer, added, fingerprint(folder), fingerprint(tmp_path / "nowhere")}) == 5


def test_error_is_one_line_that_says_what_and_where(tmp_path: Path) -> None:
    folder = write(tmp_path / "1", format_version=7)
    with pytest.raises(BundleError) as refused:
        open_bundle(folder)
    assert str(refused.value).startswith(f"{folder / 'manifest.json'}: format_version: ")
    assert "\n" not in str(refused.value)


def test_error_repeats_a_hostile_bundle_in_one_short_line(tmp_path: Path) -> None:
    record = {"sha256": "0" * 64, "bytes": 1}
    name = "\n2026-01-01 INFO loaded\x1b[2J" + "x" * 100_000
    folder = write(tmp_path / "1", files={name: record})
    with pytest.raises(BundleError) as refused:
        open_bundle(folder)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1200


def test_repository_lists_models_by_name_and_versions_by_number(tmp_path: Path) -> None:
    for name in ("b/10", "b/9", "a/1", "b/latest", "b/.export-x", "b/0", "b/01", "b/²", "b/٣"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "notes.txt").touch()
    found = [path.relative_to(tmp_path).as_posix() for path in discover(tmp_path)]
    assert found == ["a/1", "b/9", "b/10"]


def test_repository_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is no folder"):
        list(discover(tmp_path / "nowhere"))


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert file_sha256(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def unreadable(monkeypatch: pytest.MonkeyPatch, path: Path, *, listed: bool) -> None:
    """Makes the listing of a folder fail, or its stat too, also for root."""

    def refusing(inner: Callable[..., Any]) -> Callable[..., Any]:
        def ask(self: Path, *arguments: Any, **options: Any) -> Any:
            if self == path:
                raise PermissionError(errno.EACCES, "Permission denied", str(self))
            return inner(self, *arguments, **options)

        return ask

    monkeypatch.setattr(Path, "iterdir", refusing(Path.iterdir))
    if not listed:
        monkeypatch.setattr(Path, "stat", refusing(Path.stat))
        monkeypatch.setattr(Path, "is_dir", refusing(Path.is_dir))


@pytest.mark.parametrize(("entry", "listed"), [("b", True), ("b", False), ("b/9", False)])
def test_folder_that_cannot_be_read_is_skipped_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, listed: bool
) -> None:
    for name in ("a/1", "b/9", "c/2"):
        (tmp_path / name).mkdir(parents=True)
    unreadable(monkeypatch, tmp_path / entry, listed=listed)
    found = survey(tmp_path)
    assert found.skipped == {entry: "cannot be read (Permission denied)"}
    assert [path.relative_to(tmp_path).as_posix() for path in discover(tmp_path)] == ["a/1", "c/2"]


def test_what_cannot_be_a_model_is_skipped_and_named(tmp_path: Path) -> None:
    (tmp_path / "a" / "1").mkdir(parents=True)
    for name in ("lost+found", ".Trash-1000", ".snapshot", "..data", "@eaDir", "Upper", "x" * 65):
        (tmp_path / name / "1").mkdir(parents=True)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    for name in ("README.md", ".gitignore", "index.json"):
        (tmp_path / name).touch()
    (tmp_path / "a" / "2").symlink_to(tmp_path / "nowhere")
    (tmp_path / "a" / "lost+found").mkdir()
    found = survey(tmp_path)
    assert found.bundles == {"a": [tmp_path / "a" / "1"]}
    assert found.skipped == {
        "lost+found": "is not a name that a model can have",
        ".Trash-1000": "is hidden",
        ".snapshot": "is hidden",
        "..data": "is hidden",
        "@eaDir": "is not a name that a model can have",
        "Upper": "is not a name that a model can have",
        "x" * 65: "is not a name that a model can have",
        "dangling": "cannot be read (No such file or directory)",
        "loop": "cannot be read (Too many levels of symbolic links)",
        "pipe": "is not a folder",
        "a/2": "cannot be read (No such file or directory)",
    }


def test_folders_of_models_and_versions_may_be_links(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "1").mkdir(parents=True)
    repository = tmp_path / "repository"
    (repository / "a").mkdir(parents=True)
    (repository / "a" / "1").symlink_to(tmp_path / "elsewhere" / "1")
    (repository / "b").symlink_to(tmp_path / "elsewhere")
    assert [path.relative_to(repository).as_posix() for path in discover(repository)] == ["a/1", "b/1"]
