import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tests.bundles import build_tiny_bundle

from ostinato_bundle import BundleError, open_bundle
from ostinato_bundle.manifest import Task
from ostinato_models.export.errors import ExportError, ParityError
from ostinato_models.export.source import load_bundle, load_run
from ostinato_models.export.untrained import untrained, untrained_classifier
from ostinato_models.export.writer import Target, write_bundle

TASKS: tuple[Task, ...] = ("generation", "sentiment", "translation")


@pytest.mark.parametrize("task", TASKS)
def test_shipped_bundle_derives_every_onnx_file_to_the_byte(task: Task, tmp_path: Path) -> None:
    complete = build_tiny_bundle(tmp_path / "complete", task)
    shipped = write_bundle(untrained(task), Target(tmp_path / "shipped", "m", artifacts=("onnx-int8",)))
    assert not list(shipped.glob("*.torchscript.pt"))
    derived = write_bundle(load_bundle(shipped), Target(tmp_path / "derived", "m"))
    names = sorted(path.name for path in complete.iterdir())
    assert sorted(path.name for path in derived.iterdir()) == names
    for name in names:
        if name.endswith((".onnx", ".bin", ".safetensors")) or name == "tokenizer.json":
            assert (derived / name).read_bytes() == (complete / name).read_bytes(), name


def test_bundle_says_what_it_holds(tmp_path: Path) -> None:
    manifest = open_bundle(build_tiny_bundle(tmp_path, "translation")).manifest
    assert manifest.artifacts() == {"onnx-int8", "onnx", "torchscript"}
    assert manifest.architecture["network"] == "Seq2Seq"
    assert manifest.architecture["attention"] == "general"
    facts = manifest.tokenizer
    assert (facts.kind, facts.padding_id, facts.unknown_id, facts.start_id, facts.end_id) == ("subword", 0, 1, 2, 3)
    assert [tensor.name for tensor in manifest.graphs["step"].inputs] == [
        "token", "state_0", "state_1", "memory_0", "memory_1", "lengths",
    ]  # fmt: skip
    assert manifest.graphs["encoder"].outputs[0].shape == (-1, -1, 32)
    assert manifest.limits.max_beam_size == 8
    assert {row.file for row in manifest.parity} == {
        f"{name}.{suffix}" for name in ("encoder", "step") for suffix in ("int8.onnx", "onnx", "torchscript.pt")
    }


def test_weights_are_stored_as_fp16(tmp_path: Path) -> None:
    path = build_tiny_bundle(tmp_path, "sentiment") / "weights.safetensors"
    assert {value.dtype for value in load_file(path).values()} == {np.dtype(np.float16)}


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_the_umask_decides_who_may_read_a_bundle(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        folder = write_bundle(untrained_classifier(seed=1), Target(tmp_path, "sentiment", artifacts=("onnx-int8",)))
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {mode}


def test_failed_parity_leaves_the_bundle_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = build_tiny_bundle(tmp_path, "sentiment")
    before = (folder / "manifest.json").read_bytes()

    def refuse(*_: object) -> None:
        raise ParityError("classifier.onnx", "class probabilities", 1.0, 0.1)

    monkeypatch.setattr("ostinato_models.export.writer.measure_parity", refuse)
    with pytest.raises(ParityError):
        write_bundle(untrained_classifier(seed=2), Target(tmp_path, "sentiment"))
    assert (folder / "manifest.json").read_bytes() == before
    assert [path.name for path in folder.parent.iterdir()] == ["1"]


def test_new_bundle_replaces_the_old_one(tmp_path: Path) -> None:
    target = Target(tmp_path, "sentiment", artifacts=("onnx",))
    first = write_bundle(untrained_classifier(seed=1), target)
    digest = open_bundle(first).manifest.files["weights.safetensors"].sha256
    second = write_bundle(untrained_classifier(seed=2), target)
    assert second == first
    assert open_bundle(second).manifest.files["weights.safetensors"].sha256 != digest
    assert [path.name for path in first.parent.iterdir()] == ["1"]


def test_weights_beyond_fp16_stop_the_export(tmp_path: Path) -> None:
    run = run_directory(tmp_path)
    weights = load_file(run / "weights.safetensors")
    save(run, weights | {"output.bias": np.array([0.0, 1e6], np.float32)})
    with pytest.raises(ExportError, match=r"output\.bias holds numbers that fp16 cannot"):
        load_run(run)


def test_run_without_its_record_is_not_finished(tmp_path: Path) -> None:
    run = run_directory(tmp_path)
    (run / "config.json").unlink()
    with pytest.raises(ExportError, match=r"config\.json is missing: is the training finished\?"):
        load_run(run)


def test_network_that_does_not_fit_its_tokenizer_is_refused(tmp_path: Path) -> None:
    run = run_directory(tmp_path)
    record = json.loads((run / "config.json").read_text())
    record["model"]["vocabulary_size"] = 50
    (run / "config.json").write_text(json.dumps(record))
    with pytest.raises(ExportError, match=r"the tokenizer has 1\d\d tokens, the network 50"):
        load_run(run)


def test_damaged_bundle_is_not_exported(tmp_path: Path) -> None:
    folder = build_tiny_bundle(tmp_path, "sentiment")
    with (folder / "weights.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x00")
    with pytest.raises(BundleError, match="has another sha256"):
        load_bundle(folder)


def run_directory(folder: Path) -> Path:
    """What training leaves."""
    source = untrained_classifier()
    save(folder, dict(source.weights))
    (folder / "tokenizer.json").write_text(source.tokenizer)
    (folder / "config.json").write_text(json.dumps(source.record))
    return folder


def save(folder: Path, weights: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]) -> None:
    from safetensors.numpy import save_file

    save_file(weights, folder / "weights.safetensors")
