"""Rows that are told apart bit by bit: what graphs give to streams and texts alone and in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato_bundle import Bundle
from ostinato_server.runtime.base import Array, GraphRunner, StepTable
from ostinato_server.runtime.memory import SOURCE_STEP

Row = dict[str, bytes]
"""What a graph gave to a row, by the names of its outputs."""


def stepped(table: StepTable, bundle: Bundle, streams: Sequence[int], longest: int = SOURCE_STEP) -> list[Row]:
    """What a step gives to streams in rows 0 and up, each with a state, a source and settings that go by its number."""
    graph = bundle.manifest.graphs["step"]
    lengths = []
    for row, stream in enumerate(streams):
        random = np.random.default_rng(stream)
        lengths.append(int(random.integers(1, longest + 1)))
        settings: Mapping[str, float] = {
            "token": int(random.integers(0, bundle.manifest.tokenizer.vocabulary_size)),
            "temperature": random.choice([0.0, 0.7, 1.3]),
            "top_k": random.choice([0, 5]),
            "top_p": random.choice([0.8, 1.0]),
            "uniform": random.random(),
            "lengths": lengths[-1],
        }
        state = [random.uniform(-1, 1, tensor.shape[1:]).astype(np.float32) for tensor in graph.state]
        memory = [random.uniform(-1, 1, (lengths[-1], tensor.shape[2])).astype(np.float32) for tensor in graph.memory]
        table.write(row, state, memory)
        for name, column in table.columns.items():
            column[row] = settings[name]
    results = {name: np.array(value) for name, value in table.step(len(streams)).items()}
    rows = []
    for row, length in enumerate(lengths):
        given: dict[str, NDArray[Any]] = {name: value[row] for name, value in results.items()}
        if "attention" in given:
            given["attention"] = given["attention"][:length]
        state_after = {f"state_{index}": part for index, part in enumerate(table.read(row)[0])}
        rows.append({name: value.tobytes() for name, value in (given | state_after).items()})
    return rows


def prefilled(reader: GraphRunner, bundle: Bundle, streams: Sequence[int], tokens: Array) -> list[Row]:
    """The state of streams, each from one that goes by its number, after so many tokens (streams, T) read in one go."""
    states = bundle.manifest.graphs["step"].state
    start = {
        tensor.name: np.stack(
            [np.random.default_rng((stream, index)).uniform(-1, 1, tensor.shape[1:]) for stream in streams]
        ).astype(np.float32)
        for index, tensor in enumerate(states)
    }
    return told_apart(reader.run({"tokens": tokens[list(streams)], **start}))


def read_in_steps(table: StepTable, bundle: Bundle, stream: int, tokens: Array) -> Row:
    """As `prefilled`, of one stream, its tokens read a step each."""
    states = bundle.manifest.graphs["step"].state
    start = [
        np.random.default_rng((stream, index)).uniform(-1, 1, tensor.shape[1:]).astype(np.float32)
        for index, tensor in enumerate(states)
    ]
    table.write(0, start)
    for token in tokens[stream]:
        table.columns["token"][0] = token
        table.step(1)
    after = zip(states, table.read(0)[0], strict=True)
    return {f"next_{tensor.name}": part.tobytes() for tensor, part in after}


def texts(bundle: Bundle, streams: Sequence[int], longest: int) -> tuple[Array, Array]:
    """Texts that go by their numbers, padded to the longest of these: tokens (texts, T) and lengths (texts,)."""
    vocabulary = bundle.manifest.tokenizer.vocabulary_size
    read = [
        random.integers(1, vocabulary, random.integers(1, longest + 1))
        for random in map(np.random.default_rng, streams)
    ]
    lengths = np.array([len(text) for text in read])
    tokens = np.zeros((len(read), lengths.max()), np.int64)
    for row, text in enumerate(read):
        tokens[row, : len(text)] = text
    return tokens, lengths


def read_whole(reader: GraphRunner, bundle: Bundle, streams: Sequence[int], longest: int = 23) -> list[Row]:
    """What an encoder or a classifier gives to texts, without what it gives to their padding."""
    tokens, lengths = texts(bundle, streams, longest)
    return told_apart(reader.run({"tokens": tokens, "lengths": lengths}), lengths)


def told_apart(results: Mapping[str, Array], lengths: Array | None = None) -> list[Row]:
    """Outputs row by row; memories as long as their sources."""
    rows = []
    for row in range(len(next(iter(results.values())))):
        given = {name: value[row] for name, value in results.items()}
        if lengths is not None:
            given |= {name: value[: lengths[row]] for name, value in given.items() if name.startswith("memory_")}
        rows.append({name: value.tobytes() for name, value in given.items()})
    return rows
