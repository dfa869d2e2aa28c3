"""ONNX Runtime: graphs on the CPU or a CUDA device."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime

from ostinato_bundle import Artifact, Bundle, BundleError, Graph
from ostinato_server.errors import DeviceUnavailable
from ostinato_server.runtime.base import Array, FloatArray, StepTable
from ostinato_server.runtime.external_data import self_contained
from ostinato_server.runtime.memory import MemoryBlock
from ostinato_server.runtime.multi_step import FIRST, LAST, LOGPROBS, TOKENS, UNIFORMS, several_steps
from ostinato_server.runtime.onnx_buffers import Buffers, DeviceBuffers, HostBuffers
from ostinato_server.runtime.onnx_given import Blocks, Given
from ostinato_server.runtime.onnx_places import Place, place
from ostinato_server.runtime.row_threads import Part, RowThreads
from ostinato_server.runtime.signature import Declared, difference
from ostinato_server.runtime.stepwise import step_by_step

MOST_BINDINGS = 512
"""Sizes of runs whose buffers are kept, a few kilobytes each."""

LEAST_RUN_ROWS, LEAST_STEP_ROWS = 4, 8
"""Rows that are worth a thread in a run of several steps, and in a single one: to hand them over costs as much."""

LEAST_TEXTS = 16
"""Texts that are worth one: where there are many, so are calls, and the event loop needs a core to take them."""

_DTYPES: Mapping[str, type[np.float32 | np.int64]] = {"float32": np.float32, "int64": np.int64}
_NAMES: Mapping[str, str] = {"tensor(float)": "float32", "tensor(int64)": "int64"}

_CPU = "CPUExecutionProvider"
_PROVIDERS: Mapping[str, list[str | tuple[str, dict[str, str]]]] = {
    "cpu": [_CPU],
    # TF32 would round factors to ten bits; as much as is asked for is taken, since a server's sizes recur.
    "cuda": [("CUDAExecutionProvider", {"use_tf32": "0", "arena_extend_strategy": "kSameAsRequested"}), _CPU],
}


class OnnxBackend:
    """Opens a bundle's ONNX files.

    Args:
        bundle: A verified bundle.
        artifact: ``onnx-int8`` or ``onnx``.
        device: ``cpu`` or ``cuda``.
        threads: Threads that one step may use.
    """

    def __init__(self, bundle: Bundle, artifact: Artifact, device: str, threads: int) -> None:
        self.runtime: str = artifact
        self.device = device
        self._bundle = bundle
        self._artifact = artifact
        self._threads = RowThreads(threads if device == "cpu" else 1)

    def graph(self, name: str) -> OnnxGraph:
        """Opens a graph that keeps nothing between calls; its inputs come in as many shapes as there are texts."""
        return OnnxGraph(self._session(name, fixed_shapes=False), self._threads)

    def step_table(self, name: str, capacity: int) -> StepTable:
        """Opens a step graph with room for ``capacity`` streams."""
        graph = self._bundle.manifest.graphs[name]
        session, multi_step = self._session(name), self._multi_step(name, graph)
        buffers = HostBuffers() if self.device == "cpu" else DeviceBuffers(self.device)
        return OnnxStepTable(session, multi_step, graph, capacity, self._threads, buffers)

    def _multi_step(self, name: str, graph: Graph) -> onnxruntime.InferenceSession | None:
        """The graph of several steps in one run, where it is one that samples on nothing but its state."""
        if graph.memory or "uniform" not in {tensor.name for tensor in graph.inputs}:
            return None
        path = self._bundle.graph_path(name, self._artifact)
        content = several_steps(read_graph(self._bundle, path), [tensor.name for tensor in graph.state])
        return self._open(path, content)

    def _session(self, name: str, *, fixed_shapes: bool = True) -> onnxruntime.InferenceSession:
        path, graph = self._bundle.graph_path(name, self._artifact), self._bundle.manifest.graphs[name]
        session = self._open(path, read_graph(self._bundle, path), fixed_shapes=fixed_shapes)
        for what, found, listed in (
            ("inputs", session.get_inputs(), graph.inputs),
            ("outputs", session.get_outputs(), graph.outputs),
        ):
            declared = [Declared(each.name, _NAMES.get(each.type, each.type), each.shape) for each in found]
            if wrong := difference(what, declared, listed):
                raise BundleError(path, wrong)
        return session

    def _open(self, path: Path, content: bytes, *, fixed_shapes: bool = True) -> onnxruntime.InferenceSession:
        return _open(path, content, self.device, shared=self._threads.count > 1, fixed_shapes=fixed_shapes)


def read_graph(bundle: Bundle, path: Path) -> bytes:
    """The verified bytes of an ONNX file of a bundle, with all tensors in it.

    Raises:
        BundleError: It is no ONNX graph, or keeps tensors in files that the manifest does not list.
    """

    def beside(name: str) -> bytes:
        if name not in bundle.manifest.files:
            raise BundleError(path, f"keeps tensors in {name!r}, which the manifest does not list")
        return bundle.read(name)

    try:
        return self_contained(bundle.read(path.name), beside)
    except ValueError as error:
        raise BundleError(path, f"is no ONNX graph: {error}") from error


def _open(path: Path, content: bytes, device: str, *, shared: bool, fixed_shapes: bool) -> onnxruntime.InferenceSession:
    """Opens a graph; the runtime is given verified bytes and no file.

    Args:
        path: Where the graph is from.
        content: The graph.
        device: ``cpu`` or ``cuda``.
        shared: Whether several threads run it at once.
        fixed_shapes: Whether its inputs come in few shapes.
    """
    options = onnxruntime.SessionOptions()
    # Its arena has one lock: small operations of two threads then take longer than one after the other.
    options.enable_cpu_mem_arena = not shared
    # The runtime keeps a plan of the memory of every shape that it has seen: 20 MiB for some hundred shapes of prompts.
    options.enable_mem_pattern = fixed_shapes
    options.intra_op_num_threads = 1  # `RowThreads` has the others
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    try:
        session = onnxruntime.InferenceSession(content, options, providers=_PROVIDERS[device])
    except Exception as error:  # each of its errors is a class of its own
        lines = str(error).splitlines() or [type(error).__name__]
        raise BundleError(path, f"is no graph that ONNX Runtime opens: {lines[0]}") from error
    if device == "cuda" and "CUDAExecutionProvider" not in session.get_providers():
        # It falls back to the CPU and says so in its own log only.
        raise DeviceUnavailable(
            "ONNX Runtime's CUDA provider does not start (it needs an NVIDIA driver, and CUDA and cuDNN of the "
            "versions it was built for); use --runtime torchscript or --device cpu"
        )
    session.disable_fallback()
    return session


class OnnxGraph:
    """A graph that keeps nothing between calls.

    Args:
        session: The graph.
        threads: Take the rows through it.
    """

    def __init__(self, session: onnxruntime.InferenceSession, threads: RowThreads) -> None:
        self._session = session
        self._threads = threads
        self._outputs = [output.name for output in session.get_outputs()]

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Runs the graph once."""
        (count,) = {len(array) for array in inputs.values()}
        found = self._threads.run(
            [
                partial(self._session.run, self._outputs, {name: array[part.rows] for name, array in inputs.items()})
                for part in self._threads.parts(count, LEAST_TEXTS)
            ]
        )
        arrays = found[0] if len(found) == 1 else map(np.concatenate, zip(*found, strict=True))
        return dict(zip(self._outputs, arrays, strict=True))


class _Run(NamedTuple):
    """Buffers of some rows' run of several steps, bound to the graph."""

    part: Part
    binding: onnxruntime.IOBinding
    uniforms: Given
    tokens: Array
    logprobs: FloatArray


class OnnxStepTable:
    """Streams in two sets of preallocated state buffers: a step reads one and writes the other.

    Buffers never move, so a binding of inputs and outputs is made once for each batch size and reused: a step is one
    call with nothing copied and nothing allocated by this side. On a GPU, state and memory stay there; columns go over
    before the call and results come back within it, and it returns when the device is done.

    Args:
        session: The step graph.
        multi_step: The same graph several times in one run, if there is such a thing.
        graph: What it takes and gives.
        capacity: Rows.
        threads: Take the rows through a step.
        buffers: Make what it reads and writes.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        multi_step: onnxruntime.InferenceSession | None,
        graph: Graph,
        capacity: int,
        threads: RowThreads,
        buffers: Buffers,
    ) -> None:
        self.capacity = capacity
        self._threads = threads
        self._buffers = buffers
        self._session = session
        self._multi_step = multi_step
        self._state_names = tuple(tensor.name for tensor in graph.state)
        self._state = buffers.state([tensor.shape[1:] for tensor in graph.state], capacity)
        self._looked_at = 0
        self._memory = MemoryBlock(graph.memory, capacity) if graph.memory else None
        self._blocks: Blocks | None = None
        self._memory_changed = self._memory is not None
        special = {*self._state_names, *(tensor.name for tensor in graph.memory)}
        columns = [tensor for tensor in graph.inputs if tensor.name not in special]
        self._given = buffers.given([((capacity,), _DTYPES[tensor.data_type]) for tensor in columns])
        names = [tensor.name for tensor in columns]
        self._column_places = dict(zip(names, self._given.places, strict=True))
        self.columns: dict[str, Array] = dict(zip(names, self._given.arrays, strict=True))
        self._result_tensors = tuple(tensor for tensor in graph.outputs if not tensor.name.startswith("next_state_"))
        self._runs: dict[tuple[int, int, int], list[_Run]] = {}
        self._bindings: dict[tuple[int, int], tuple[list[onnxruntime.IOBinding], dict[str, Array]]] = {}

    def write(self, row: int, state: Sequence[FloatArray], memory: Sequence[FloatArray] = ()) -> None:
        """Puts a stream into a row."""
        for index, buffer in enumerate(self._state.changed()):
            buffer[row] = state[index] if state else 0.0
        if self._memory is not None:
            self._memory_changed = True
            if self._memory.write(row, memory, alone=row == 0):
                self._blocks = None
                self._bindings.clear()

    def read(self, row: int) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
        """Copies a row's state and memory out."""
        state = tuple(buffer[row].copy() for buffer in self._state.seen())
        return state, self._memory.read(row) if self._memory is not None else ()

    def move(self, source: int, target: int) -> None:
        """Copies a row's state, memory and columns over another's."""
        for buffer in self._state.changed():
            buffer[target] = buffer[source]
        for column in self.columns.values():
            column[target] = column[source]
        if self._memory is not None:
            self._memory.move(source, target)
            self._memory_changed = True

    def permute(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        """Gives each of ``rows`` the state of the row at the same place in ``sources``."""
        for buffer in self._state.changed():
            buffer[rows] = buffer[sources]

    def step(self, count: int) -> Mapping[str, Array]:
        """Advances rows 0 to count-1 by one step."""
        self._state.settle()
        self._given.send()
        if self._memory_changed:
            self._settle_memory()
        bindings, results = self._bindings.get((count, self._state.side)) or self._bind(count)
        self._threads.run([partial(self._session.run_with_iobinding, binding) for binding in bindings])
        self._state.turn()
        return results

    def run(self, count: int, uniforms: FloatArray) -> tuple[Array, FloatArray]:
        """Advances rows 0 to count-1 by several steps.

        One step goes this way too: the other graph would bring its own copy of the weights into the caches. With fp32
        files, whose weights fill a good part of them, a stream alone then had 1,400 characters a second and not 2,500.
        """
        if self._multi_step is None:
            return step_by_step(self, count, uniforms)
        self._state.settle()
        key = (count, len(uniforms), self._state.side)
        runs = self._runs.get(key)
        if runs is None:
            if len(self._runs) >= MOST_BINDINGS:
                self._runs.clear()
            parts = self._threads.parts(count, LEAST_RUN_ROWS)
            runs = self._runs[key] = [self._bind_run(self._multi_step, part, len(uniforms)) for part in parts]
        self._given.send()
        for run in runs:
            run.uniforms.arrays[0][:] = uniforms[:, run.part.rows]
            run.uniforms.send()
        self._threads.run([partial(self._multi_step.run_with_iobinding, run.binding) for run in runs])
        self._state.turn()
        tokens, logprobs = runs[0].tokens, runs[0].logprobs
        if len(runs) > 1:
            tokens = np.concatenate([run.tokens for run in runs], axis=1)
            logprobs = np.concatenate([run.logprobs for run in runs], axis=1)
        self.columns["token"][:count] = tokens[-1]
        return tokens, logprobs

    def broken(self, count: int) -> Collection[int]:
        """Rows whose state is not finite, in the one state tensor that it is the turn to look at.

        Quantization makes a number of what is none, so an int8 graph that has lost a cell state goes on drawing tokens
        from the rest. What is not finite stays so, and is found within as many looks as there are tensors.
        """
        if not self._state_names or not self._buffers.on_host:  # int8 graphs run on the CPU only
            return ()
        self._looked_at = (self._looked_at + 1) % len(self._state_names)
        finite = np.isfinite(self._state.seen()[self._looked_at][:count])
        return () if finite.all() else np.flatnonzero(~finite.reshape(count, -1).all(axis=1)).tolist()

    def _bind_run(self, session: onnxruntime.InferenceSession, part: Part, steps: int) -> _Run:
        shape = (steps, part.stop - part.start)
        run = _Run(
            part,
            session.io_binding(),
            self._buffers.given([(shape, np.float32)]),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.float32),
        )
        given = {name: where for name, where in self._column_places.items() if name not in ("token", "uniform")}
        given |= {FIRST + name: where for name, where in self._states(self._state.side).items()}
        given[FIRST + "token"] = self._column_places["token"]
        following = {LAST + name: where for name, where in self._states(self._state.side ^ 1).items()}
        _bind_rows(run.binding, part, given, following)
        drawn = {TOKENS: place(run.tokens), LOGPROBS: place(run.logprobs)}
        _bind_rows(run.binding, Part(0, steps), {UNIFORMS: run.uniforms.places[0]}, drawn)
        return run

    def _bind(self, count: int) -> tuple[list[onnxruntime.IOBinding], dict[str, Array]]:
        following = {f"next_{name}": where for name, where in self._states(self._state.side ^ 1).items()}
        results: dict[str, Array] = {}
        for tensor in self._result_tensors:
            shape = tuple(self._memory.source if size < 0 and self._memory else size for size in tensor.shape[1:])
            results[tensor.name] = np.zeros((count, *shape), _DTYPES[tensor.data_type])
        inputs = {**self._states(self._state.side), **self._column_places, **self._memories()}
        outputs = following | {name: place(array) for name, array in results.items()}
        bindings = []
        for part in self._threads.parts(count, LEAST_STEP_ROWS):
            binding = self._session.io_binding()
            _bind_rows(binding, part, inputs, outputs)
            bindings.append(binding)
        self._bindings[count, self._state.side] = bindings, results
        return bindings, results

    def _states(self, side: int) -> dict[str, Place]:
        return dict(zip(self._state_names, self._state.places(side), strict=True))

    def _memories(self) -> dict[str, Place]:
        if self._memory is None or self._blocks is None:
            return {}
        return dict(zip(self._memory.names, self._blocks.places, strict=True))

    def _settle_memory(self) -> None:
        """Makes what was written to the memory known to the next step."""
        if self._memory is not None:
            if self._blocks is None:
                self._blocks = self._buffers.blocks(self._memory.blocks)
            else:
                self._blocks.follow(self._memory.blocks)
        self._memory_changed = False


def _bind_rows(
    binding: onnxruntime.IOBinding, rows: Part, inputs: Mapping[str, Place], outputs: Mapping[str, Place]
) -> None:
    """Binds some rows of buffers."""
    count = rows.stop - rows.start
    for name, where in inputs.items():
        binding.bind_input(name, where.device, 0, where.dtype, (count, *where.row), where.at(rows.start))
    for name, where in outputs.items():
        binding.bind_output(name, where.device, 0, where.dtype, (count, *where.row), where.at(rows.start))
