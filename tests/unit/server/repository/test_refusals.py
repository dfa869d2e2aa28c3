"""What the loader refuses, which file it names, and why: bundles whose hashes hold though their content does not."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from prometheus_client import CollectorRegistry
from tests import forgery
from tests.bundles import build_tiny_bundle

from ostinato_bundle import BundleError
from ostinato_bundle.manifest import Task
from ostinato_server.config import ServerConfig
from ostinato_server.metrics import ServerMetrics
from ostinato_server.repository.loader import Loader


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("originals")


def bundle(originals: Path, tmp_path: Path, task: Task = "generation") -> Path:
    """A bundle that a test may spoil."""
    name = {"generation": "char-lm", "sentiment": "sentiment", "translation": "translation-en-fr"}[task]
    if not (originals / name).exists():
        build_tiny_bundle(originals, task)
    return Path(copytree(originals / name / "1", tmp_path / name / "1"))


def refused(folder: Path, runtime: str) -> BundleError:
    """Why the bundle is refused; no engine may be left behind, nor a series of its metrics."""
    registry = CollectorRegistry()
    config = ServerConfig(repository=folder.parents[1], runtime=runtime)
    with closing(asyncio.new_event_loop()) as loop, pytest.raises(BundleError) as caught:
        Loader(config, lambda name, version: ServerMetrics(registry).engine(name), loop).load(folder)
    assert "\n" not in str(caught.value)
    assert registry.get_sample_value("ostinato_requests_running", {"model": "char-lm"}) is None
    return caught.value


def wider_state(manifest: dict[str, Any]) -> None:
    for graph in manifest["graphs"].values():
        for tensor in (*graph["inputs"], *graph["outputs"]):
            if "state" in tensor["name"]:
                tensor["shape"] = [-1, 33]


def wider_alternatives(manifest: dict[str, Any]) -> None:
    for tensor in manifest["graphs"]["step"]["outputs"]:
        if tensor["name"] in ("top_tokens", "top_logprobs"):
            tensor["shape"] = [-1, 5]


def other_type(manifest: dict[str, Any]) -> None:
    manifest["graphs"]["step"]["inputs"][0]["data_type"] = "float32"


def other_name(manifest: dict[str, Any]) -> None:
    manifest["graphs"]["step"]["outputs"][1]["name"] = "likelihood"


@pytest.mark.parametrize("runtime", ["onnx-int8", "onnx"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (wider_state, "its tensor state_0 is float32[-1, 32], the manifest says float32[-1, 33]"),
        (wider_alternatives, "its tensor top_tokens is int64[-1, 20], the manifest says int64[-1, 5]"),
        (other_type, "its tensor token is int64[-1], the manifest says float32[-1]"),
        (other_name, "the manifest says next_token, likelihood, top_tokens"),
    ],
)
def test_onnx_graph_unlike_its_manifest_is_refused(
    originals: Path, tmp_path: Path, runtime: str, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    folder = bundle(originals, tmp_path)
    forgery.rewrite(folder, change)
    error = refused(folder, runtime)
    assert error.path == folder / {"onnx-int8": "step.int8.onnx", "onnx": "step.onnx"}[runtime]
    assert reason in error.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (wider_state, "cannot be run as TorchScript"),
        (wider_alternatives, "its tensor top_tokens came out as int64[2, 20], the manifest says int64[-1, 5]"),
        (other_type, "cannot be run as TorchScript"),
    ],
)
def test_torchscript_unlike_its_manifest_is_refused(
    originals: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    folder = bundle(originals, tmp_path)
    forgery.rewrite(folder, change)
    error = refused(folder, "torchscript")
    assert error.path == folder / "step.torchscript.pt"
    assert reason in error.reason


def test_torchscript_state_that_would_spread_over_its_buffer_is_refused(originals: Path, tmp_path: Path) -> None:
    class Narrow(torch.nn.Module):
        """Gives states of one number, which would be copied to every place of a row."""

        def forward(
            self, token: torch.Tensor, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, d: torch.Tensor,
            temperature: torch.Tensor, top_k: torch.Tensor, top_p: torch.Tensor, uniform: torch.Tensor,
        ) -> tuple[torch.Tensor, ...]:  # fmt: skip
            ranks = token[:, None].repeat(1, 20)
            return token, uniform, ranks, ranks * 1.0, a[:, :1], b, c, d

    example = [torch.ones(2, dtype=torch.int64), *[torch.zeros(2, 32)] * 4, torch.zeros(2)]
    example += [torch.ones(2, dtype=torch.int64), torch.zeros(2), torch.zeros(2)]
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TorchScript is, upstream
        traced = torch.jit.trace(Narrow(), tuple(example))  # type: ignore[no-untyped-call]
        torch.jit.save(traced, file)
    folder = bundle(originals, tmp_path)
    forgery.replace(folder, "step.torchscript.pt", file.getvalue())
    reason = refused(folder, "torchscript").reason
    assert reason == "its tensor next_state_0 came out as float32[2, 1], the manifest says float32[-1, 32]"


@pytest.mark.parametrize("name", ["step.int8.onnx", "prefill.int8.onnx", "step.torchscript.pt", "weights.safetensors"])
def test_pickle_in_the_place_of_another_file_is_refused_and_not_run(originals: Path, tmp_path: Path, name: str) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
            return os.mkdir, (str(tmp_path / "run"),)

    folder = bundle(originals, tmp_path)
    forgery.replace(folder, name, pickle.dumps(Evil()))
    error = refused(folder, "torchscript" if name.endswith(".pt") else "onnx-int8")
    assert error.path == folder / name
    assert "pickle" in error.reason or "is no ONNX graph" in error.reason
    assert not (tmp_path / "run").exists()


def test_torchscript_that_unpacks_to_far_more_than_it_is_is_refused(originals: Path, tmp_path: Path) -> None:
    folder = bundle(originals, tmp_path)
    file = io.BytesIO((folder / "step.torchscript.pt").read_bytes())
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("step.torchscript/data/99", b"\0" * (64 << 20))
    assert len(file.getvalue()) < 1 << 18
    forgery.replace(folder, "step.torchscript.pt", file.getvalue())
    error = refused(folder, "torchscript")
    assert error.path == folder / "step.torchscript.pt"
    assert "would unpack to 67" in error.reason


@pytest.mark.parametrize("location", ["../../../secret.bin", "/etc/hostname", "*/_ORT_MEM_ADDR_/*", "unlisted.bin"])
def test_onnx_graph_that_keeps_tensors_elsewhere_is_refused(originals: Path, tmp_path: Path, location: str) -> None:
    folder = bundle(originals, tmp_path)
    content = np.zeros(32, np.float32).tobytes()
    (tmp_path / "secret.bin").write_bytes(content)
    model = onnx.load(str(folder / "step.int8.onnx"))
    tensor = next(each for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    forgery.replace(folder, "step.int8.onnx", model.SerializeToString())
    (folder / "unlisted.bin").write_bytes(content)
    error = refused(folder, "onnx-int8")
    assert error.path == folder / "step.int8.onnx"
    assert error.reason == f"keeps tensors in {location!r}, which the manifest does not list"


def test_vocabulary_larger_than_the_table_of_embeddings_is_refused(originals: Path, tmp_path: Path) -> None:
    folder = bundle(originals, tmp_path)

    def larger(manifest: dict[str, Any]) -> None:
        manifest["tokenizer"]["vocabulary_size"] += 1

    forgery.rewrite(folder, larger)
    error = refused(folder, "onnx-int8")
    assert error.path == folder
    assert error.reason.startswith("the graph prefill cannot be run: ")


def test_tokenizer_with_more_tokens_than_the_model_is_refused(originals: Path, tmp_path: Path) -> None:
    folder = bundle(originals, tmp_path)
    tokenizer = json.loads((folder / "tokenizer.json").read_bytes())
    tokenizer["model"]["vocab"]["€"] = 5000
    forgery.replace(folder, "tokenizer.json", json.dumps(tokenizer).encode())
    error = refused(folder, "onnx-int8")
    assert error.path == folder / "tokenizer.json"
    assert "token 5000 is not in a vocabulary of" in error.reason


def test_tokenizer_that_is_something_else_is_refused(originals: Path, tmp_path: Path) -> None:
    folder = bundle(originals, tmp_path)
    forgery.replace(folder, "tokenizer.json", b'{"model": 1}')
    error = refused(folder, "onnx-int8")
    assert error.path == folder / "tokenizer.json"
    assert error.reason.startswith("is no tokenizer of this model: ")


def test_limits_over_what_the_graph_ranks_are_refused(originals: Path, tmp_path: Path) -> None:
    folder = bundle(originals, tmp_path)
    forgery.rewrite(folder, lambda manifest: manifest["limits"].update(max_alternatives=21))
    assert "top_tokens ranks 20 tokens, the limits ask for 21" in refused(folder, "onnx-int8").reason
    forgery.rewrite(folder, lambda manifest: manifest["limits"].update(max_alternatives=20, max_beam_size=11))
    assert "top_tokens ranks 20 tokens, the limits ask for 22" in refused(folder, "onnx-int8").reason


@pytest.mark.parametrize(
    ("task", "graph", "given"),
    [("sentiment", "classifier", "probabilities"), ("translation", "encoder", "next_state_0")],
)
def test_graph_that_does_not_give_what_the_engine_needs_is_refused(
    originals: Path, tmp_path: Path, task: Task, graph: str, given: str
) -> None:
    folder = bundle(originals, tmp_path, task)
    model = onnx.load(str(folder / f"{graph}.int8.onnx"), load_external_data=False)
    for node in model.graph.node:
        node.output[:] = ["other" if name == given else name for name in node.output]
        node.input[:] = ["other" if name == given else name for name in node.input]
    next(output for output in model.graph.output if output.name == given).name = "other"
    forgery.replace(folder, f"{graph}.int8.onnx", model.SerializeToString())

    def renamed(manifest: dict[str, Any]) -> None:
        for tensor in manifest["graphs"][graph]["outputs"]:
            tensor["name"] = "other" if tensor["name"] == given else tensor["name"]

    forgery.rewrite(folder, renamed)
    assert refused(folder, "onnx-int8").reason == (
        f"the graph {graph} cannot be run: it does not give {given} (ValueError)"
    )


def test_bundle_of_another_name_than_its_folder_is_refused(originals: Path, tmp_path: Path) -> None:
    folder = bundle(originals, tmp_path).rename(tmp_path / "char-lm" / "2")
    assert refused(folder, "onnx-int8").reason == "the manifest is that of char-lm version 1"
