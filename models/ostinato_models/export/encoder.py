"""Reading padded texts in one or both directions as ONNX nodes; padding leaves no trace in any result.

Both directions run in one Scan. A step outside a row's length leaves the row's state as it was and outputs zero, so
the reverse direction starts at every row's own last token. Sums over time are carried along the scan, in the order of
time, and not left to a reduction whose order depends on the padded length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from ostinato_models.export.cells import cell_step, project_tokens
from ostinato_models.export.graph_builder import GraphBuilder, Name
from ostinato_models.export.quantization import FloatArray
from ostinato_models.export.weights import CellWeights
from ostinato_models.networks.sentiment_classifier import Pooling

BELOW_ALL = -2.0
"""Where a running maximum of hidden states, all in (-1, 1), starts."""

Layer = Sequence[CellWeights]
"""A layer's directions, forward first."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a text gives.

    Attributes:
        outputs: the top layer's states at every step, both directions side by side, (T, B, D*H); empty when pooled.
        final: every layer's final states; for each layer, its directions' states in turn, each (B, H).
        pooled: the top layer's states reduced over time, both directions side by side, (B, D*H); empty otherwise.
    """

    outputs: Name
    final: list[list[list[Name]]]
    pooled: Name


def read_texts(
    graph: GraphBuilder, table: FloatArray, layers: Sequence[Layer], pooling: Pooling | None = None
) -> Reading:
    """Run a stack over the inputs ``tokens`` (B, T) and ``lengths`` (B,).

    Args:
        graph: where the nodes go.
        table: embeddings (V, E).
        layers: the stack.
        pooling: how to reduce the top layer over time; None gives its outputs.
    """
    tokens = graph.op("Transpose", "tokens", perm=[1, 0])  # (T, B)
    sizes = graph.op("Shape", tokens)
    flat = graph.op("Reshape", tokens, graph.integers(-1))
    valid = _valid_steps(graph, sizes)
    final: list[list[list[Name]]] = []
    outputs = ""
    for index, layer in enumerate(layers):
        if index == 0:
            projected = [project_tokens(graph, flat, table, weights) for weights in layer]
        else:
            width = sum(weights.size for weights in layers[index - 1])
            below = graph.bounded(graph.op("Reshape", outputs, graph.integers(-1, width)))
            projected = [graph.linear(below, weights.input, weights.input_bias) for weights in layer]
        steps = [
            graph.op("Reshape", value, graph.op("Concat", sizes, graph.integers(len(weights.input)), axis=0))
            for value, weights in zip(projected, layer, strict=True)
        ]
        top = index + 1 == len(layers)
        states, outputs, pooled = _read_layer(graph, layer, steps, valid, pooling if top else None)
        final.append(states)
    return Reading(outputs, final, pooled)


def _valid_steps(graph: GraphBuilder, sizes: Name) -> Name:
    """Whether a row has a token at a step: bool (T, B, 1)."""
    steps = graph.op("Squeeze", graph.op("Slice", sizes, graph.integers(0), graph.integers(1)), graph.integers(0))
    counted = graph.op("Range", graph.constant(np.array(0)), steps, graph.constant(np.array(1)))
    inside = graph.op("Less", graph.op("Unsqueeze", counted, graph.integers(1)), "lengths")  # (T, B)
    return graph.op("Unsqueeze", inside, graph.integers(2))


def _read_layer(
    graph: GraphBuilder, layer: Layer, steps: Sequence[Name], valid: Name, pooling: Pooling | None
) -> tuple[list[list[Name]], Name, Name]:
    """One layer: final states by direction, outputs (T, B, D*H) or "", pooled (B, D*H) or ""."""
    directions, states = len(layer), layer[0].states
    batch = graph.op("Shape", "lengths")
    shape = graph.op("Concat", batch, graph.integers(layer[0].size), axis=0)
    zero = _filled(graph, shape, 0.0)
    carried = [zero] * (directions * states)
    accumulates = pooling in ("max", "mean")
    if accumulates:
        carried += [_filled(graph, shape, BELOW_ALL) if pooling == "max" else zero] * directions

    def body(inner: GraphBuilder, before: list[Name], slices: list[Name]) -> tuple[list[Name], list[Name]]:
        following: list[Name] = []
        reduced: list[Name] = []
        collected: list[Name] = []
        for index, weights in enumerate(layer):
            here = slices[directions + index]
            own = before[index * states : (index + 1) * states]
            new = cell_step(inner, slices[index], own, weights)
            following += [inner.op("Where", here, ours, old) for ours, old in zip(new, own, strict=True)]
            if accumulates:
                so_far = before[directions * states + index]
                larger = inner.op("Max" if pooling == "max" else "Add", so_far, new[0])
                reduced.append(inner.op("Where", here, larger, so_far))
            elif pooling is None:
                collected.append(inner.op("Where", here, new[0], inner.number(0.0)))
        return following + reduced, collected

    reverse = [0, 1][:directions]
    values, outputs = graph.scan(
        carried,
        [*steps, *[valid] * directions],
        body,
        outputs=0 if pooling else directions,
        types=[TensorProto.FLOAT] * directions + [TensorProto.BOOL] * directions,
        directions=reverse * 2,
        output_directions=[] if pooling else reverse,
    )
    final = [values[index * states : (index + 1) * states] for index in range(directions)]
    if pooling is None:
        return final, _side_by_side(graph, outputs, axis=2), ""
    pooled = values[directions * states :] if accumulates else [state[0] for state in final]
    joined = _side_by_side(graph, pooled, axis=1)
    if pooling == "mean":
        counts = graph.op("Cast", graph.op("Unsqueeze", "lengths", graph.integers(1)), to=TensorProto.FLOAT)
        joined = graph.op("Div", joined, counts)
    return final, "", joined


def _filled(graph: GraphBuilder, shape: Name, value: float) -> Name:
    return graph.op("Expand", graph.number(value), shape)


def _side_by_side(graph: GraphBuilder, values: Sequence[Name], axis: int) -> Name:
    return values[0] if len(values) == 1 else graph.op("Concat", *values, axis=axis)
