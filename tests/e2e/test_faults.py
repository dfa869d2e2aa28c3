"""What the operating system does to a server: signals, full disks, no memory."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree

import grpc
import onnx
import pytest
from onnx import TensorProto, helper
from tests.bundles import build_tiny_version
from tests.e2e.conftest import OSTINATO, ServerProcess, start_server, stop_server
from tests.streams import read_all, text, under_way
from tests.tools import prepared

from ostinato.v1 import models_pb2, models_pb2_grpc
from ostinato_client import AsyncClient, Client

SECONDS = 60
ANY_PORTS = ("--port", "0", "--metrics-port", "0")


@contextmanager
def running(repository: Path | str, log: Path, *flags: str) -> Iterator[ServerProcess]:
    """A server that must still be well enough to end by itself."""
    server = start_server(repository, log, *flags)
    try:
        yield server
    finally:
        code = stop_server(server)
    assert code == 0


def load(server: ServerProcess) -> str:
    """Asks for the newest version of the language model; gives the status and what it says."""
    with grpc.insecure_channel(server.target) as channel:
        stub = models_pb2_grpc.ModelServiceStub(channel)
        try:
            stub.LoadModel(models_pb2.LoadModelRequest(model="char-lm"), timeout=SECONDS)
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"
    return "OK"


def served(server: ServerProcess) -> tuple[int, int]:
    """The version that writes a text, and the length of that."""
    with Client(server.target) as client:
        summary = client.generate("The cat", max_chars=100, seed=1).summary
    return summary.version, len(summary.text)


async def test_sigterm_under_load_ends_streams_in_the_grace_period_and_the_others_go_on_elsewhere(
    repository: Path, tmp_path: Path
) -> None:
    streams, characters = 32, 2000
    server = await asyncio.to_thread(start_server, repository, tmp_path / "first.log", "--grace", "0.05")
    port = server.target.rpartition(":")[2]
    async with AsyncClient(server.target, timeout=SECONDS) as client:
        tasks = await under_way(client, "The cat", streams, max_chars=characters)
        assert await asyncio.to_thread(stop_server, server) == 0
        unfinished = sum(not task.done() for task in tasks)
        again = await asyncio.to_thread(start_server, repository, tmp_path / "second.log", "--port", port)
        try:
            broken = await asyncio.gather(*tasks)
            whole = await read_all(client, "The cat", streams, max_chars=characters)
        finally:
            assert await asyncio.to_thread(stop_server, again) == 0
    assert unfinished > 0
    assert [*map(text, broken)] == [*map(text, whole)]
    log = (tmp_path / "first.log").read_text()
    assert "UNAVAILABLE" in log
    assert "CANCELLED" not in log


def test_a_log_that_cannot_be_written_takes_nothing_from_anybody(repository: Path) -> None:
    with running(repository, Path("/dev/full")) as server:
        assert served(server) == (1, 100)


def test_a_ready_line_that_cannot_be_written_is_one_line_and_exit_code_1(repository: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            (*OSTINATO, "serve", "--repository", str(repository), *ANY_PORTS, "--json", "--log-level", "error"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "error: standard output cannot be written: No space left on device\n"


def test_a_cache_on_a_full_disk_refuses_the_new_version_and_keeps_the_old_one(tmp_path: Path) -> None:
    build_tiny_version(tmp_path / "store", "generation", 1)
    flags = ("--model-control", "explicit", "--cache-dir", str(tmp_path / "cache"))
    with running(f"file://{tmp_path / 'store'}", tmp_path / "log", *flags) as server:
        build_tiny_version(tmp_path / "store", "generation", 2)
        limits = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        assert load(server) == (
            "FAILED_PRECONDITION: model char-lm version 2 is refused: "
            "char-lm/2: cannot be put into the cache: File too large"
        )
        assert served(server) == (1, 100)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)
        assert load(server) == "OK"
        assert served(server) == (2, 100)
    assert not list((tmp_path / "cache").glob("*/.fetching/bundle-*"))


def test_a_cache_that_cannot_be_made_is_one_line_and_exit_code_1(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    command = (*OSTINATO, "serve", "--repository", f"file://{repository}", *ANY_PORTS)
    done = subprocess.run(
        (*command, "--cache-dir", str(tmp_path / "file" / "cache")),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: the cache {tmp_path / 'file'}/")
    assert done.stderr.endswith("cannot be written: Not a directory\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("artifacts", "file"),
    [("onnx-int8", "step.int8.onnx"), ("onnx", "tensors.bin"), ("torchscript", "step.torchscript.pt")],
)
def test_an_export_onto_a_full_disk_is_one_line_and_leaves_the_repository_as_it_was(
    repository: Path, tmp_path: Path, artifacts: str, file: str
) -> None:
    copytree(repository / "char-lm", tmp_path / "char-lm")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    most = (repository / "char-lm" / "1" / file).stat().st_size * 98 // 100  # enough for what is written before it
    export = (*OSTINATO, "export", "--bundle", str(repository / "char-lm" / "1"), "--out", str(tmp_path))
    done = subprocess.run(
        prepared(
            f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))",
            (*export, "--artifacts", artifacts),
        ),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert "File too large" in done.stderr
    assert done.stderr.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def enlarge_file(folder: Path) -> None:
    """Makes a graph's file half a GiB of which nothing is written."""
    with (folder / "step.int8.onnx").open("ab") as file:
        file.truncate(512 << 20)


def enlarge_run(folder: Path) -> None:
    """Makes a small graph that needs a GiB to run: zero times the sum of many ones goes into its log-probability."""
    model = onnx.load(folder / "step.int8.onnx")
    graph = model.graph
    for node in graph.node:
        node.output[:] = ["kept" if name == "logprob" else name for name in node.output]
        node.input[:] = ["kept" if name == "logprob" else name for name in node.input]
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    nodes = [
        *graph.node,
        helper.make_node("ConstantOfShape", ["many"], ["ones"], value=one),
        helper.make_node("ReduceSum", ["ones"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "nothing"], ["zero"]),
        helper.make_node("Add", ["kept", "zero"], ["logprob"]),
    ]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.append(helper.make_tensor("many", TensorProto.INT64, [1], [1 << 28]))
    graph.initializer.append(helper.make_tensor("nothing", TensorProto.FLOAT, [], [0.0]))
    onnx.save(model, folder / "step.int8.onnx")


def attest(folder: Path) -> None:
    """Makes the manifest true of the files again."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in manifest["files"]:
        with (folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        manifest["files"][name] = {"sha256": digest, "bytes": (folder / name).stat().st_size}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def address_space(server: ServerProcess) -> int:
    """Bytes that a server has of it."""
    pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[0]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("enlarge", [enlarge_file, enlarge_run])
def test_a_model_that_memory_does_not_suffice_for_is_refused_and_the_first_goes_on(
    tmp_path: Path, enlarge: Callable[[Path], None]
) -> None:
    store = tmp_path / "store"
    build_tiny_version(store, "generation", 1)
    flags = ("--model-control", "explicit", "--runtime", "onnx-int8")
    with running(store, tmp_path / "log", *flags) as server:
        limit = address_space(server) + (256 << 20)
        before = resource.prlimit(server.process.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
        second = build_tiny_version(store, "generation", 2)
        enlarge(second)
        attest(second)
        said = load(server)
        assert said.startswith("RESOURCE_EXHAUSTED: model char-lm version 2 is refused")
        assert said.endswith("there is not enough memory to load it")
        assert served(server) == (1, 100)
        resource.prlimit(server.process.pid, resource.RLIMIT_AS, before)
        build_tiny_version(store, "generation", 3)
        assert load(server) == "OK"
        assert served(server) == (3, 100)
