"""Storing once what several ONNX graphs of a bundle have in common.

A step and a prefill hold the same recurrent weights, an encoder and a decoder the same embedding table. Large constants
that occur in more than one graph go into a file beside them, as ONNX's external data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx

SMALLEST = 1 << 14
"""Constants below this many bytes stay in their graphs."""

ALIGNMENT = 4096
"""A page, so that the file can be mapped."""


def save_graphs(models: Mapping[Path, onnx.ModelProto], shared: Path) -> None:
    """Write graphs, and what they share into a file in the same folder; there is none when they share nothing.

    Args:
        models: the graphs by the files they go to; their shared constants are taken out.
        shared: the file for those.
    """
    uses = Counter(content for model in models.values() for content in {t.raw_data for t in _large(model.graph)})
    places: dict[bytes, int] = {}
    pool = bytearray()
    for path, model in models.items():
        for tensor in _large(model.graph):
            content = tensor.raw_data
            if uses[content] < 2:
                continue
            if content not in places:
                pool.extend(bytes(-len(pool) % ALIGNMENT))
                places[content] = len(pool)
                pool.extend(content)
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (("location", shared.name), ("offset", places[content]), ("length", len(content))):
                tensor.external_data.add(key=key, value=str(value))
        path.write_bytes(model.SerializeToString(deterministic=True))
    if pool:
        shared.write_bytes(pool)


def _large(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """The large constants of a graph and of the graphs inside it."""
    yield from (tensor for tensor in graph.initializer if len(tensor.raw_data) >= SMALLEST)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _large(attribute.g)
