"""Running an exported file, whatever wrote it: for parity, evaluation and tests."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from ostinato_bundle.manifest import Artifact
from ostinato_models.export.signatures import Signature

Array = NDArray[Any]
Arrays = Mapping[str, Array]


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: small tensors gain nothing from two, and on a busy machine waiting costs tenfold."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class GraphRun(Protocol):
    """A graph that can be run: inputs and outputs by the names of its signature."""

    def __call__(self, inputs: Arrays) -> dict[str, Array]:
        """Run once."""


def open_graph(path: Path, artifact: Artifact, signature: Signature, threads: int = 1) -> GraphRun:
    """Open an exported file on the CPU.

    Args:
        path: the file.
        artifact: what kind it is.
        signature: the graph's inputs and outputs.
        threads: threads that an ONNX Runtime call may use; torch keeps its process-wide number.
    """
    if artifact == "torchscript":
        return _open_torchscript(path, signature)
    return open_onnx(path, signature, threads)


def open_onnx(model: Path | bytes, signature: Signature, threads: int = 1) -> GraphRun:
    """Open an ONNX file, or the bytes of one."""
    return open_outputs(model, [tensor.name for tensor in signature.outputs], threads)


def open_outputs(model: Path | bytes, names: Sequence[str], threads: int = 1, *, optimize: bool = True) -> GraphRun:
    """Open an ONNX file, or the bytes of one, for some of its outputs; without `optimize` the graph runs as it is."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # an error is raised; nobody needs it printed as well
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    content = model if isinstance(model, bytes) else str(model)
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(inputs: Arrays) -> dict[str, Array]:
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

    return run


def _open_torchscript(path: Path, signature: Signature) -> GraphRun:
    with warnings.catch_warnings():
        # TorchScript is deprecated upstream; a bundle offers it as one format of several.
        warnings.simplefilter("ignore", DeprecationWarning)
        module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    return run_module(module, signature)


def run_module(module: Callable[..., Any], signature: Signature) -> GraphRun:
    """Run a compiled module by the names of its signature."""

    def run(inputs: Arrays) -> dict[str, Array]:
        given = [torch.from_numpy(np.ascontiguousarray(inputs[tensor.name])) for tensor in signature.inputs]
        with torch.inference_mode():
            results = module(*given)
        results = (results,) if isinstance(results, torch.Tensor) else results
        return {tensor.name: result.numpy() for tensor, result in zip(signature.outputs, results, strict=True)}

    return run
