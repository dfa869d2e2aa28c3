"""Capturing a step in a CUDA graph, so that one launch replays all its kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

LADDER = (1, 2, 4, 8, *range(16, 1025, 16))
"""Batch sizes that a step is captured at; a batch in between runs on the next rung up."""

_WARM_UP_RUNS = 3
"""Runs before the capture, in which the library picks its kernels and workspaces."""


def capture(
    step: Callable[[], dict[str, torch.Tensor]], state: Sequence[torch.Tensor]
) -> tuple[Callable[[], None], dict[str, torch.Tensor]]:
    """Captures a step that reads and writes fixed buffers.

    Args:
        step: Runs the step once; its results live in the graph's own memory pool.
        state: The buffers it changes; they are put back as they were before the capture.

    Returns:
        What replays the step, and the tensors that hold its results after each replay.
    """
    saved = [buffer.clone() for buffer in state]
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(_WARM_UP_RUNS):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    # Other engines run and models are loaded meanwhile; only this thread must keep to what can be captured.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        results = step()
    for buffer, old in zip(state, saved, strict=True):
        buffer.copy_(old)
    return graph.replay, results
