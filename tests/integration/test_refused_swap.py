"""A bundle that is broken or means harm comes while streams run: it is refused, and no stream notices."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import Any

import onnx
import pytest
from tests import forgery
from tests.bundles import build_tiny_bundle
from tests.integration.harness import RunningServer, generate, serving
from tests.integration.versions import References, ask, put, states, streams, texts_of

from ostinato_bundle import BundleError
from ostinato_bundle.bundle import MAX_MANIFEST_BYTES
from ostinato_server.errors import ModelRefused, NoRepository
from ostinato_server.repository.index import State

Spoil = Callable[[Path], None]


def list_file(name: str) -> Spoil:
    def change(manifest: dict[str, Any]) -> None:
        manifest["files"][name] = manifest["files"]["tokenizer.json"]

    return lambda folder: forgery.rewrite(folder, change)


def other_bytes(folder: Path) -> None:
    content = bytearray((folder / "step.int8.onnx").read_bytes())
    content[100] ^= 1
    (folder / "step.int8.onnx").write_bytes(content)


def half_written(folder: Path) -> None:
    content = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(content[: len(content) // 2])


def without_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def huge_manifest(folder: Path) -> None:
    with (folder / "manifest.json").open("r+b") as file:
        file.truncate(100_000_000)


def link_out(folder: Path) -> None:
    (folder / "tokenizer.json").rename(folder.parents[1] / "elsewhere.json")
    (folder / "tokenizer.json").symlink_to(folder.parents[1] / "elsewhere.json")


def pickled(folder: Path) -> None:
    forgery.replace(folder, "weights.safetensors", pickle.dumps({"weight": [0.5] * 100}))


def bomb(folder: Path) -> None:
    """A TorchScript archive of 64 MiB in a sixty-fourth of a MiB, and the manifest calls it the step."""
    with zipfile.ZipFile(folder / "step.torchscript.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("step/data/0", b"\0" * (64 << 20))
    forgery.seal(folder)

    def call_it_the_step(manifest: dict[str, Any]) -> None:
        manifest["graphs"]["step"]["artifacts"]["torchscript"] = "step.torchscript.pt"

    forgery.rewrite(folder, call_it_the_step)


def crowded(folder: Path) -> None:
    for number in range(300):
        (folder / f"{number}.txt").touch()


def wider(folder: Path) -> None:
    def change(manifest: dict[str, Any]) -> None:
        for tensor in (*manifest["graphs"]["step"]["inputs"], *manifest["graphs"]["step"]["outputs"]):
            if tensor["name"].endswith("state_0"):
                tensor["shape"] = [-1, 64]

    forgery.rewrite(folder, change)


def kept_outside(folder: Path) -> None:
    model = onnx.load(str(folder / "step.int8.onnx"), load_external_data=False)
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../1/step.int8.onnx")
    forgery.replace(folder, "step.int8.onnx", model.SerializeToString())


CASES: list[tuple[Spoil, str, str]] = [
    (other_bytes, "step.int8.onnx", "has another sha256 than the manifest says"),
    (half_written, "weights.safetensors", " bytes, the manifest says "),
    (without_manifest, "manifest.json", "is missing; it is written last, so the bundle is not complete"),
    (huge_manifest, "manifest.json", f"has 100000000 bytes; a manifest has at most {MAX_MANIFEST_BYTES}"),
    (list_file("../../1/tokenizer.json"), "manifest.json", "files.../../1/tokenizer.json"),
    (list_file("/etc/passwd"), "manifest.json", "files./etc/passwd"),
    (link_out, "tokenizer.json", "is no plain file of the bundle"),
    (pickled, "weights.safetensors", "is no safetensors file: it begins as a pickle does"),
    (bomb, "step.torchscript.pt", "would unpack to 67"),
    (crowded, "", "holds more than 256 files"),
    (wider, "step.int8.onnx", "its tensor state_0 is float32[-1, 32], the manifest says float32[-1, 64]"),
    (kept_outside, "step.int8.onnx", "keeps tensors in '../1/step.int8.onnx', which the manifest does not list"),
]


def reason_of(server: RunningServer, version: int) -> str:
    return next(entry.reason for entry in server.wait(server.lifecycle.index()) if entry.version == version)


def test_refused_bundles_say_why_while_the_old_version_streams_on(
    store: Path, first_version: Path, references: References
) -> None:
    with serving(first_version, window=4) as server:
        (old,) = server.wait(server.lifecycle.load("char-lm"))
        with streams(server) as finish:
            for spoil, file, reason in CASES:
                folder = put(store, first_version, 2)
                spoil(folder)
                with pytest.raises(ModelRefused) as refused:
                    server.wait(server.lifecycle.load("char-lm"))
                assert str(refused.value).startswith(f"model char-lm version 2 is refused: {folder / file}: ")
                assert reason in refused.value.reason
                assert refused.value.reason == reason_of(server, 2)
                assert states(server) == {1: State.LOADED, 2: State.REFUSED}
                assert generate(server, ask(0, tokens=20)).summary.version == 1
                rmtree(folder)
            assert server.wait(server.lifecycle.load("char-lm")) == [old]
            assert [result.text for result in finish()] == texts_of(1, references)
        assert _refusals(server) == len(CASES)


def test_polling_says_once_why_a_bundle_is_refused_and_takes_it_once_it_is_whole(
    store: Path, first_version: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(first_version) as server:
        folder = put(store, first_version, 2)
        manifest = (folder / "manifest.json").read_bytes()
        (folder / "manifest.json").unlink()
        for _ in range(3):
            server.wait(server.lifecycle.refresh())
        assert states(server) == {1: State.LOADED, 2: State.REFUSED}
        assert _refusals(server) == 1
        said = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
        assert said == [f"refused char-lm version 2: {reason_of(server, 2)}"]

        (folder / "manifest.json").write_bytes(manifest)
        server.wait(server.lifecycle.refresh())
        server.wait(server.lifecycle.drained())
        assert states(server) == {1: State.AVAILABLE, 2: State.LOADED}
        assert reason_of(server, 2) == ""


def test_loaded_version_that_is_spoiled_on_disk_serves_on(
    store: Path, first_version: Path, references: References
) -> None:
    put(store, first_version, 2)
    with serving(first_version) as server:
        other_bytes(first_version / "char-lm" / "2")
        server.wait(server.lifecycle.refresh())
        assert states(server) == {1: State.AVAILABLE, 2: State.LOADED}
        assert "has another sha256" in reason_of(server, 2)
        assert generate(server, ask(0)).text == references[2, 0]
        rmtree(first_version)
        with pytest.raises(NoRepository, match="is no folder"):
            server.wait(server.lifecycle.refresh())
        assert generate(server, ask(1)).text == references[2, 1]


@pytest.mark.parametrize("runtime", ["onnx-int8", "onnx", "torchscript"])
def test_files_that_are_emptied_under_a_server_are_not_missed(tmp_path: Path, runtime: str) -> None:
    folder = build_tiny_bundle(tmp_path, "generation")
    with serving(tmp_path, runtime=runtime) as server:
        before = generate(server, ask(0, tokens=100))
        for file in folder.iterdir():
            file.write_bytes(b"")
        assert generate(server, ask(0, tokens=100)).text == before.text


def test_server_that_polls_starts_on_the_newest_version_that_is_whole(store: Path, first_version: Path) -> None:
    half_written(put(store, first_version, 2))
    with serving(first_version, model_control="poll", poll_seconds=3600) as server:
        assert states(server) == {1: State.LOADED, 2: State.REFUSED}
    with pytest.raises(BundleError, match=r"2/weights\.safetensors: has "), serving(first_version):
        pass


def _refusals(server: RunningServer) -> float:
    labels = (("change", "refused"), ("model", "char-lm"))
    return server.scrape()["ostinato_model_changes_total", labels]
