"""TorchScript: graphs on the CPU or a CUDA device."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ostinato_bundle import Bundle, BundleError, Graph
from ostinato_server.runtime.base import Array, FloatArray, StepTable
from ostinato_server.runtime.cuda_graphs import LADDER, capture
from ostinato_server.runtime.even_rows import even_rows
from ostinato_server.runtime.memory import MemoryBlock
from ostinato_server.runtime.signature import deviation
from ostinato_server.runtime.stepwise import step_by_step

RowCount = Callable[[int], int]
"""Rows that are wanted to rows that are run."""

_DTYPES = {"float32": torch.float32, "int64": torch.int64}
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
        """Opens a step graph with room for ``capacity`` streams."""
        graph = self._bundle.manifest.graphs[name]
        return TorchScriptStepTable(self._load(name), graph, capacity, self.device, self._filled(graph))

    def _filled(self, graph: Graph) -> RowCount:
        """How many rows a batch of so many is run with; a CUDA device has its own ladder."""
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
            wrong = _try(module, self._bundle.manifest.graphs[name], self.device)
        except Exception as error:  # torch has no error of its own
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise BundleError(path, f"cannot be run as TorchScript: {lines[0]}") from error
        if wrong:
            raise BundleError(path, wrong)
        runner: Callable[..., Any] = module
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
            dtype=_DTYPES[tensor.data_type],
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
    """Streams in preallocated state buffers on the device; rows above the live ones fill a batch up."""

    def __init__(self, module: Callable[..., Any], graph: Graph, capacity: int, device: str, filled: RowCount) -> None:
        self.capacity = capacity
        self._filled = filled
        room = filled(capacity)
        self._module = module
        self._device = device
        self._inputs = [tensor.name for tensor in graph.inputs]
        self._outputs = [tensor.name for tensor in graph.outputs]
        self._state = {tensor.name: torch.zeros(room, *tensor.shape[1:], device=device) for tensor in graph.state}
        self._memory = MemoryBlock(graph.memory, room) if graph.memory else None
        special = {*self._state, *(tensor.name for tensor in graph.memory)}
        column_tensors = [tensor for tensor in graph.inputs if tensor.name not in special]
        self.columns: dict[str, Array] = {
            tensor.name: np.zeros(capacity, _NUMPY_DTYPES[tensor.data_type]) for tensor in column_tensors
        }
        self._device_columns = {
            tensor.name: torch.zeros(room, dtype=_DTYPES[tensor.data_type], device=device) for tensor in column_tensors
        }
        self._memory_cache: dict[str, torch.Tensor] | None = None
        self._captured: dict[int, tuple[Callable[[], None], dict[str, torch.Tensor]]] = {}
        # Memory blocks change shape, which a captured graph cannot follow.
        self._captures = device == "cuda" and self._memory is None

    def write(self, row: int, state: Sequence[FloatArray], memory: Sequence[FloatArray] = ()) -> None:
        """Puts a stream into a row."""
        with torch.inference_mode():
            for index, buffer in enumerate(self._state.values()):
                if state:
                    buffer[row].copy_(torch.from_numpy(np.ascontiguousarray(state[index])))
                else:
                    buffer[row].zero_()
        if self._memory is not None:
            self._memory.write(row, memory, alone=row == 0)
            self._memory_cache = None

    def read(self, row: int) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
        """Copies a row's state and memory out."""
        state = tuple(np.array(buffer[row].cpu().numpy()) for buffer in self._state.values())
        return state, self._memory.read(row) if self._memory is not None else ()

    def move(self, source: int, target: int) -> None:
        """Copies a row's state, memory and columns over another's."""
        with torch.inference_mode():
            for buffer in self._state.values():
                buffer[target].copy_(buffer[source])
        for column in self.columns.values():
            column[target] = column[source]
        if self._memory is not None:
            self._memory.move(source, target)
            self._memory_cache = None

    def permute(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        """Gives each of ``rows`` the state of the row at the same place in ``sources``."""
        with torch.inference_mode():
            for buffer in self._state.values():
                buffer[list(rows)] = buffer[list(sources)]

    @torch.inference_mode()
    def step(self, count: int) -> Mapping[str, Array]:
        """Advances rows 0 to count-1 by one step."""
        for name, column in self.columns.items():
            self._device_columns[name][:count].copy_(torch.from_numpy(column[:count]))
        results = self._replay(count) if self._captures else self._advance(count)
        return {name: result.cpu().numpy() for name, result in results.items()}

    def run(self, count: int, uniforms: FloatArray) -> tuple[Array, FloatArray]:
        """Advances rows 0 to count-1 by several steps."""
        return step_by_step(self, count, uniforms)

    def _advance(self, count: int) -> dict[str, torch.Tensor]:
        """Runs the module on the first rows and writes the new states back."""
        tensors = {**self._state, **self._device_columns, **self._memory_tensors()}
        given = [tensors[name][: self._filled(count)] for name in self._inputs]
        results = dict(zip(self._outputs, self._module(*given), strict=True))
        for name, buffer in self._state.items():
            buffer[:count].copy_(results.pop(f"next_{name}")[:count])
        return {name: result[:count] for name, result in results.items()}

    def _replay(self, count: int) -> dict[str, torch.Tensor]:
        """Replays the captured step of the smallest rung that holds the batch; rows above ``count`` are not live."""
        rung = next((size for size in LADDER if size >= count), self.capacity)
        rung = min(rung, self.capacity)
        if rung not in self._captured:
            self._captured[rung] = capture(lambda: self._advance(rung), list(self._state.values()))
        replay, results = self._captured[rung]
        replay()
        return {name: result[:count] for name, result in results.items()}

    def _memory_tensors(self) -> dict[str, torch.Tensor]:
        if self._memory is None:
            return {}
        if self._memory_cache is None:
            self._memory_cache = {
                name: torch.from_numpy(block).to(self._device)
                for name, block in zip(self._memory.names, self._memory.blocks, strict=True)
            }
        return self._memory_cache
