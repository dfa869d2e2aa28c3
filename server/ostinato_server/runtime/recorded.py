"""A step table whose step is recorded: all that it works on stays where it is, and one launch replays it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from ostinato_bundle import Graph
from ostinato_server.runtime.base import Array, FloatArray
from ostinato_server.runtime.cuda_graphs import Launcher, Replay
from ostinato_server.runtime.ladder import ladder, rung
from ostinato_server.runtime.torch_module import DTYPES
from ostinato_server.runtime.transfer import Transfer

logger = logging.getLogger(__name__)

MOST_STEPS = 16
"""Steps that are launched without a look at what they drew; a longer run is made in parts."""

STEPS_TOGETHER = 8
"""Steps that are recorded in one piece too: between two launches an H100 does nothing for some 10 µs."""

_POSITION, _UNIFORMS, _DRAWN = "position", "uniforms", "drawn"


class _Replays(NamedTuple):
    """What is launched for a rung: one step, and `STEPS_TOGETHER`."""

    one: Replay
    several: Replay


class RecordedStepTable:
    """Streams in state buffers on the device.

    What a step reads goes over in one copy, and what it gives comes back in one. Steps of a run are replays of the
    same recording: each reads the token that the one before it drew, takes its random numbers from the row that a
    counter on the device says, and leaves what it drew there; so nothing goes back and forth between them.

    A step, and several in one piece, are recorded for each rung of the ladder; rows between the batch and its rung
    compute what nobody reads.

    Args:
        module: The graph's TorchScript; rows must be independent of one another.
        graph: What it takes and gives; no memory, whose length a recording could not follow.
        capacity: Rows.
        device: Where the buffers lie.
        launcher: Runs and records.
    """

    def __init__(
        self, module: Callable[..., Any], graph: Graph, capacity: int, device: str, launcher: Launcher
    ) -> None:
        if graph.memory:
            raise ValueError("a step that reads a memory cannot be recorded")
        self.capacity = capacity
        self._module = module
        self._launcher = launcher
        self._inputs = [tensor.name for tensor in graph.inputs]
        self._outputs = [tensor.name for tensor in graph.outputs]
        states = {tensor.name for tensor in graph.state}
        columns = {
            tensor.name: (DTYPES[tensor.data_type], (capacity,))
            for tensor in graph.inputs
            if tensor.name not in states and tensor.name != "uniform"
        }
        results = [tensor for tensor in graph.outputs if tensor.name.removeprefix("next_") not in states]
        with torch.inference_mode(), launcher.ordered():
            self._state = {
                tensor.name: torch.zeros(capacity, *tensor.shape[1:], device=device) for tensor in graph.state
            }
            # The random numbers come last, so that a run sends those of its own steps only.
            self._given = Transfer(
                {_POSITION: (torch.int64, (1,)), **columns, _UNIFORMS: (torch.float32, (MOST_STEPS, capacity))}, device
            )
            self._drawn = Transfer({_DRAWN: (torch.int32, (MOST_STEPS, 2, capacity))}, device)
            self._results = {
                size: Transfer(
                    {tensor.name: (DTYPES[tensor.data_type], (size, *tensor.shape[1:])) for tensor in results}, device
                )
                for size in ladder(capacity)
            }
        self.columns: dict[str, Array] = {name: self._given.host[name] for name in columns}
        if "uniform" in self._inputs:
            self.columns["uniform"] = self._given.host[_UNIFORMS][0]
        self._replays = self._record()

    def write(self, row: int, state: Sequence[FloatArray], memory: Sequence[FloatArray] = ()) -> None:
        """Puts a stream into a row."""
        del memory  # there is none
        with torch.inference_mode(), self._launcher.ordered():
            for index, buffer in enumerate(self._state.values()):
                if state:
                    buffer[row].copy_(torch.from_numpy(np.array(state[index], np.float32)))
                else:
                    buffer[row].zero_()

    def read(self, row: int) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
        """Copies a row's state out."""
        with torch.inference_mode(), self._launcher.ordered():
            return tuple(np.array(buffer[row].cpu().numpy()) for buffer in self._state.values()), ()

    def move(self, source: int, target: int) -> None:
        """Copies a row's state and columns over another's."""
        with torch.inference_mode(), self._launcher.ordered():
            for buffer in self._state.values():
                buffer[target].copy_(buffer[source])
        for column in self.columns.values():
            column[target] = column[source]

    def permute(self, rows: Sequence[int], sources: Sequence[int]) -> None:
        """Gives each of ``rows`` the state of the row at the same place in ``sources``."""
        with torch.inference_mode(), self._launcher.ordered():
            for buffer in self._state.values():
                buffer[list(rows)] = buffer[list(sources)]

    def step(self, count: int) -> Mapping[str, Array]:
        """Advances rows 0 to count-1 by one step."""
        results = self._results[rung(count, self.capacity)]
        self._launch(count, 1, results)
        return {name: array[:count] for name, array in results.host.items()}

    def run(self, count: int, uniforms: FloatArray) -> tuple[Array, FloatArray]:
        """Advances rows 0 to count-1 by several steps."""
        parts = [self._run(count, uniforms[at : at + MOST_STEPS]) for at in range(0, len(uniforms), MOST_STEPS)]
        tokens, logprobs = zip(*parts, strict=True)
        return np.concatenate(tokens), np.concatenate(logprobs)

    def broken(self, count: int) -> Collection[int]:
        """None: these graphs compute in floating point throughout, and their results show what is not finite."""
        return ()

    def _run(self, count: int, uniforms: FloatArray) -> tuple[Array, FloatArray]:
        steps = len(uniforms)
        self._given.host[_UNIFORMS][:steps, :count] = uniforms
        self._launch(count, steps, self._drawn, steps)
        drawn = self._drawn.host[_DRAWN][:steps, :, :count]
        tokens = drawn[:, 0].astype(np.int64)
        self.columns["token"][:count] = tokens[-1]
        return tokens, drawn[:, 1].view(np.float32).copy()  # the next part comes into the same buffer

    def _launch(self, count: int, steps: int, wanted: Transfer, rows: int | None = None) -> None:
        """Makes so many steps, in few launches, with one copy before them, one behind them and one wait."""
        replays = self._replays[rung(count, self.capacity)]
        pieces, rest = divmod(steps, STEPS_TOGETHER)
        with torch.inference_mode(), self._launcher.ordered():
            self._given.send(steps)  # the host's counter is always 0
            for _ in range(pieces):
                replays.several()
            for _ in range(rest):
                replays.one()
            wanted.fetch(rows)
        self._launcher.wait()

    def _record(self) -> dict[int, _Replays]:
        """Records every rung, the widest first, so that the narrower ones find memory for theirs."""
        sizes = ladder(self.capacity)
        works = {size: _Replays(partial(self._one, size), partial(self._several, size)) for size in sizes}
        with torch.inference_mode(), self._launcher.ordered():
            try:
                replays = {size: self._recording(works[size]) for size in reversed(sizes)}
            except RuntimeError as error:
                lines = str(error).strip().splitlines() or [type(error).__name__]
                logger.warning("a step cannot be recorded, and is launched kernel by kernel: %s", lines[0])
                replays = works
            for buffer in self._state.values():
                buffer.zero_()
        return replays

    def _recording(self, work: _Replays) -> _Replays:
        self._given.device[_POSITION].zero_()
        self._launcher.warm_up(work.one)
        return _Replays(self._launcher.record(work.one), self._launcher.record(work.several))

    def _one(self, size: int) -> None:
        """A step, and all that it gives."""
        results = self._step(size)
        for name, buffer in self._results[size].device.items():
            buffer.copy_(results[name])

    def _several(self, size: int) -> None:
        """Steps, of which only what they drew is wanted."""
        for _ in range(STEPS_TOGETHER):
            self._step(size)

    def _step(self, size: int) -> dict[str, torch.Tensor]:
        """Advances the first rows, on nothing but what lies on the device; this is what is recorded."""
        given, position = self._given.device, self._given.device[_POSITION]
        tensors = {name: tensor[:size] for name, tensor in (self._state | given).items()}
        tensors["uniform"] = given[_UNIFORMS][:, :size].index_select(0, position).squeeze(0)
        results = dict(zip(self._outputs, self._module(*(tensors[name] for name in self._inputs)), strict=True))
        token, logprob = results["next_token"], results["logprob"]
        drawn = torch.stack((token.to(torch.int32), logprob.contiguous().view(torch.int32)))
        self._drawn.device[_DRAWN][:, :, :size].index_copy_(0, position, drawn.unsqueeze(0))
        for name, buffer in self._state.items():
            buffer[:size].copy_(results[f"next_{name}"])
        tensors["token"].copy_(token)
        position.add_(1)
        return results
