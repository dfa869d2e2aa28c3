"""A graph run over and over with nothing beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import onnxruntime

WARM_UP = 3
"""Runs that are not counted."""


def open_alone(graph: str | bytes, threads: int) -> onnxruntime.InferenceSession:
    """Opens a graph, given as a file's name or its content, on so many threads of the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def runs(seconds: float) -> Iterator[int]:
    """Counts until the time is over, but at least past the warm-up."""
    end = time.perf_counter() + seconds
    count = 0
    while count <= WARM_UP or time.perf_counter() < end:
        yield count
        count += 1
