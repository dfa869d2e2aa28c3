"""TorchScript: graphs on the CPU or a CUDA device."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ostinato_bundle import Bundle, BundleError, Graph
from ostinato_server.runtime.base import Array, FloatArray, StepTable
from ostinato_server.runtime.cuda_graphs import CudaLauncher
from ostinato_server.runtime.device_memory import DeviceMemory
from ostinato_server.runtime.even_rows import even_rows
from ostinato_server.runtime.recorded import RecordedStepTable
from ostinato_server.runtime.signature import deviation
from ostinato_server.runtime.stepwise import step_by_step
from ostinato_server.runtime.torch_module import DTYPES, as_written
from ostinato_server.runtime.transfer import together

RowCount = Callable[[int], int]
"""Rows that are wanted to rows that are run."""

_NUMPY_DTYPES: Mapping[str, type[np.float32 | np.int64]] = {"float32": np.float32, "int64": np.int64}


class TorchScriptBackend:
    """Opens a bundle's TorchScript files.

    Args:
        bundle: A verified bundle.
        device: ``cpu`` or ``cuda``.
        threads: Threads that one step may use; torch has one such number for the whole process.
    """

    runtime = "torchscript"

    def __init__(self, bundle: Bundle, device: str, threads: int) -> None:
        self.device = device
        self._bundle = bundle
        self._threads = threads
        torch.set_num_threads(threads)

    def graph(self, name: str) -> TorchScriptGraph:
        """Opens a graph that keeps nothing between calls."""
        graph = self._bundle.manifest.graphs[name]
        return TorchScriptGraph(self._load(name), graph, self.device, self._filled(graph))

    def step_table(self, name: str, capacity: int) -> StepTable:
        """Opens a step graph with room for ``capacity`` streams; on a GPU, it is recorded where that can be."""
        module, graph = self._load(name), self._bundle.manifest.graphs[name]
        if self.device == "cuda" and not graph.memory:
            return RecordedStepTable(module, graph, capacity, self.device, CudaLauncher())
        return TorchScriptStepTable(module, graph, capacity, self.device, self._filled(graph))

    def _filled(self, graph: Graph) -> RowCount:
        """How many rows a batch of so many is run with; a GPU's products are not made even by that."""
        if self.device != "cpu":
            return lambda count: count
        tensors = (*graph.inputs, *graph.outputs)
        widths = {tensor.shape[1] for tensor in tensors if tensor.name.startswith(("state_", "next_state_"))}
        return lambda count: even_rows(count, widths, self._threads)

    def _load(self, name: str) -> Callable[..., Any]:
        """Opens a graph from verified bytes and tries it.

        Raises:
            BundleError: It is no TorchScript, or does not take and give what the manifest says.
        """
        path = self._bundle.graph_path(name, "torchscript")
        content = io.BytesIO(self._bundle.read(path.name))
        try:
            with warnings.catch_warnings():
                # TorchScript is deprecated upstream; serving it is what this class is for.
                warnings.simplefilter("ignore", DeprecationWarning)
                module = torch.jit.load(content, map_location=self.device)  # type: ignore[no-untyped-call]
            module.eval()
            runner: Callable[..., Any] = as_written(module) if self.device == "cuda" else module
            wrong = _try(runner, self._bundle.manifest.graphs[name], self.device)
        except Exception as error:  # torch has no error of its own
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise BundleError(path, f"cannot be run as TorchScript: {lines[0]}") from error
        if wrong:
            raise BundleError(path, wrong)
        return runner


@torch.inference_mode()
def _try(module: Callable[..., Any], graph: Graph, device: str) -> str:
    """How what a module gives for a batch of two differs from the manifest, since its file does not say; empty if not.

    Raises:
        ValueError: It gives another number of tensors.
    """
    given = [
        torch.full(
            [2 if size < 0 else size for size in tensor.shape],
            1 if tensor.data_type == "int64" else 0,
            dtype=DTYPES[tensor.data_type],
            device=device,
        )
        for tensor in graph.inputs
    ]
    results = module(*given)
    results = (results,) if isinstance(results, torch.Tensor) else results
    named = {tensor.name: result.cpu().numpy() for tensor, result in zip(graph.outputs, results, strict=True)}
    return deviation(named, graph.outputs)


class TorchScriptGraph:
    """A graph that keeps nothing between calls."""

    def __init__(self, module: Callable[..., Any], graph: Graph, device: str, filled: RowCount) -> None:
        self._module = module
        self._filled = filled
        self._inputs = [tensor.name for tensor in graph.inputs]
        self._outputs = [tensor.name for tensor in graph.outputs]
        self._device = device

    @torch.inference_mode()
    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Runs the graph once; copies of the last row fill the batch up."""
        count = len(inputs[self._inputs[0]])
        rows = np.minimum(np.arange(self._filled(count)), count - 1)
        given = [torch.from_numpy(np.ascontiguousarray(inputs[name][rows])).to(self._device) for name in self._inputs]
        results = self._module(*given)
        if isinstance(results, torch.Tensor):
            results = (results,)
        return {name: result[:count].cpu().numpy() for name, result in zip(self._outputs, results, strict=True)}


class TorchScriptStepTable:
    """Streams in preallocated state buffers on the device, advanced operation by operation.

    Rows above the live ones fill a batch up.
    """

    def __init__(self, module: Callable[..., Any], graph: Graph, capacity: int, device: str, filled: RowCount) -> None:
        self.capacity = capacity
        self._filled = filled
        room = filled(capacity)
        self._module = module
        self._inputs = [tensor.name for tensor in graph.inputs]
        self._outputs = [tensor.name for tensor in graph.outputs]
        self._state = {tensor.name: torch.zeros(room, *tensor.shape[1:], device=device) for tensor in graph.state}
        self._memory = DeviceMemory(graph.memory, room, torch.device(device)) if graph.memory else None
        special = {*self._state, *(tensor.name for tensor in graph.memory)}
        column_tensors = [tensor for tensor in graph.inputs if tensor.name not in special]
        self.columns: dict[str, Array] = {
            tensor.name: np.zeros(capacity, _NUMPY_DTYPES[tensor.data_type]) for tensor in column_tensors
        }
        self._device_columns = {
            tensor.name: torch.zeros(room, dtype=DTYPES[tensor.data_type], device=device) for tensor in column_tensors
        }

    @torch.inference_mode()
    def write(self, row: int, state: Sequence[FloatArray], memory: Sequence[FloatArray] = ()) -> None:
        """Puts a stream into a row."""
        for index, buffer in enumerate(self._state.values()):
            if state:
                buffer[row].copy_(torch.from_numpy(np.ascontiguousarray(state[index])))
            else:
                buffer[row].zero_()
        if self._memory is not None:
            self._memory.write(row, memory, alone=row == 0)

    def read(self, row: int) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
        """Copies a row's state and memory out."""
        state = tuple(np.array(buffer[row].cpu().numpy()) for buffer in self._state.values())
        return state, self._memory.read(row) if self._memory is not None else ()

    @torch.inference_mode()
    def move(self, source: int, target: int) -> None:
        """Copies a row's state, memory and columns over another's."""
        for buffer in self._state.values():
            buffer[target].copy_(buffer[source])
        for column in self.columns.values():
            column[target] = column[source]
        if self._memory is not None:
            self._memory.move(source, target)

    @torch.inference_mode()
    def permute(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        """Gives each of ``rows`` the state of the row at the same place in ``sources``."""
        for buffer in self._state.values():
            buffer[list(rows)] = buffer[list(sources)]

    @torch.inference_mode()
    def step(self, count: int) -> Mapping[str, Array]:
        """Advances rows 0 to count-1 by one step."""
        for name, column in self.columns.items():
            self._device_columns[name][:count].copy_(torch.from_numpy(column[:count]))
        memory = self._memory.tensors if self._memory is not None else {}
        tensors = {**self._state, **self._device_columns, **memory}
        given = [tensors[name][: self._filled(count)] for name in self._inputs]
        results = dict(zip(self._outputs, self._module(*given), strict=True))
        for name, buffer in self._state.items():
            buffer[:count].copy_(results.pop(f"next_{name}")[:count])
        return together({name: result[:count] for name, result in results.items()})

    def run(self, count: int, uniforms: FloatArray) -> tuple[Array, FloatArray]:
        """Advances rows 0 to count-1 by several steps."""
        return step_by_step(self, count, uniforms)

    def broken(self, count: int) -> Collection[int]:
        """None: these graphs compute in floating point throughout, and their results show what is not finite."""
        return ()
