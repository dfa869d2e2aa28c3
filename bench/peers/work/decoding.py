"""Continuous batching over the step graph: streams join and leave at every step."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .session import SLOTS, bundle, open_session
from .uniforms import keyed_uniforms

Key = TypeVar("Key")
LONGEST = 8192
"""Characters of a continuation, at most."""


@dataclass(slots=True)
class Request:
    """A text to continue."""

    prompt: str
    characters: int
    temperature: float
    seed: int

    @classmethod
    def from_json(cls, text: str | bytes) -> Request:
        """Reads a request as the HTTP peers take it."""
        return cls(**json.loads(text))


@dataclass(slots=True)
class _Stream(Generic[Key]):
    key: Key
    left: int


class ContinuousBatch(Generic[Key]):
    """Streams in the first rows of preallocated buffers, one ``run`` a step, nothing copied.

    Prompts of one length that join together are read in one run of the prefill graph.  Random numbers are those that
    Ostinato draws for the same seed, so that the texts can be compared.  Not for two threads at once.
    """

    def __init__(self, slots: int = SLOTS) -> None:
        folder = bundle("char-lm")
        vocabulary: dict[str, int] = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
        self._ids = vocabulary
        self._characters = [text if len(text) == 1 else "" for text in sorted(vocabulary, key=vocabulary.__getitem__)]
        self._session = open_session(folder / "step.onnx")
        self._prefill = open_session(folder / "prefill.onnx")
        self._slots = slots
        self._joining: list[tuple[Key, Request]] = []
        self._streams: list[_Stream[Key]] = []
        self._positions = np.zeros(slots, np.int64)
        self._uniforms = np.zeros((slots, LONGEST), np.float32)
        self._rows = np.arange(slots)
        state = [each for each in self._session.get_inputs() if each.name.startswith("state_")]
        self._state_names = [each.name for each in state]
        self._sides = tuple([np.zeros((slots, each.shape[1]), np.float32) for each in state] for _ in range(2))
        self._side = 0
        self._columns: dict[str, NDArray[np.generic]] = {
            "token": np.zeros(slots, np.int64),
            "temperature": np.ones(slots, np.float32),
            "top_k": np.zeros(slots, np.int64),
            "top_p": np.ones(slots, np.float32),
            "uniform": np.zeros(slots, np.float32),
        }
        self._bindings: dict[tuple[int, int], tuple[onnxruntime.IOBinding, NDArray[np.int64]]] = {}

    def __len__(self) -> int:
        return len(self._streams) + len(self._joining)

    @property
    def free(self) -> int:
        """Streams that may still join."""
        return self._slots - len(self)

    def add(self, key: Key, request: Request) -> None:
        """Lets a stream join at the next step, which draws its first character."""
        self._joining.append((key, request))

    def step(self) -> list[tuple[Key, str, bool]]:
        """Advances all streams.

        Returns:
            For each that drew a character: its key, the character, and whether it was its last.
        """
        if self._joining:
            self._join()
        count = len(self._streams)
        if not count:
            return []
        self._columns["uniform"][:count] = self._uniforms[self._rows[:count], self._positions[:count]]
        binding, drawn = self._bindings.get((count, self._side)) or self._bind(count)
        self._session.run_with_iobinding(binding)
        self._side ^= 1
        self._positions[:count] += 1
        self._columns["token"][:count] = drawn
        out: list[tuple[Key, str, bool]] = []
        ended: list[int] = []
        for row, (stream, index) in enumerate(zip(self._streams, drawn.tolist(), strict=True)):
            stream.left -= 1
            out.append((stream.key, self._characters[index], not stream.left))
            if not stream.left:
                ended.append(row)
        for row in reversed(ended):
            self._remove(row)
        return out

    def drop(self, key: Key) -> None:
        """Takes out a stream whose reader left; nothing happens where it ended already."""
        self._joining = [joining for joining in self._joining if joining[0] != key]
        for row, stream in enumerate(self._streams):
            if stream.key == key:
                self._remove(row)
                return

    def _join(self) -> None:
        by_length: defaultdict[int, list[tuple[Key, Request]]] = defaultdict(list)
        for key, request in self._joining:
            by_length[len(request.prompt)].append((key, request))
        self._joining.clear()
        for length, group in by_length.items():
            start, end = len(self._streams), len(self._streams) + len(group)
            tokens = np.array([[self._ids.get(each, 0) for each in request.prompt] for _, request in group], np.int64)
            for buffer in self._sides[self._side]:
                buffer[start:end] = 0
            if length > 1:
                inputs = dict(
                    zip(self._state_names, (side[start:end] for side in self._sides[self._side]), strict=True)
                )
                states = self._prefill.run(None, {"tokens": tokens[:, :-1], **inputs})
                for buffer, state in zip(self._sides[self._side], states, strict=True):
                    buffer[start:end] = state
            self._columns["token"][start:end] = tokens[:, -1]
            self._positions[start:end] = 0
            for row, (key, request) in enumerate(group, start):
                self._columns["temperature"][row] = request.temperature
                self._streams.append(_Stream(key, request.characters))
                self._uniforms[row, : request.characters] = keyed_uniforms(
                    np.full(request.characters, request.seed, np.uint64),
                    np.arange(request.characters, dtype=np.uint64),
                )

    def _remove(self, row: int) -> None:
        last = len(self._streams) - 1
        if row != last:
            self._streams[row] = self._streams[last]
            self._positions[row] = self._positions[last]
            self._uniforms[row] = self._uniforms[last]
            for column in self._columns.values():
                column[row] = column[last]
            for buffer in self._sides[self._side]:
                buffer[row] = buffer[last]
        self._streams.pop()

    def _bind(self, count: int) -> tuple[onnxruntime.IOBinding, NDArray[np.int64]]:
        binding = self._session.io_binding()
        source, target = self._sides[self._side], self._sides[self._side ^ 1]
        drawn = np.zeros(count, np.int64)
        inputs = dict(zip(self._state_names, source, strict=True)) | self._columns
        outputs = {f"next_{name}": buffer for name, buffer in zip(self._state_names, target, strict=True)}
        for name, array in inputs.items():
            shape = (count, *array.shape[1:])
            binding.bind_input(name, "cpu", 0, array.dtype.type, shape, array.ctypes.data)
        for name, array in (outputs | {"next_token": drawn}).items():
            shape = (count, *array.shape[1:])
            binding.bind_output(name, "cpu", 0, array.dtype.type, shape, array.ctypes.data)
        self._bindings[count, self._side] = binding, drawn
        return binding, drawn
