"""Attention as ONNX nodes: one query a row over a padded memory."""

from __future__ import annotations

import numpy as np

from ostinato_models.export.graph_builder import GraphBuilder, Name
from ostinato_models.export.weights import Weights
from ostinato_models.networks.attention import AttentionName


def attention_keys(graph: GraphBuilder, kind: AttentionName, values: Name, weights: Weights, width: int) -> Name:
    """Project encoder states once for each source.

    Args:
        graph: where the nodes go.
        kind: the score.
        values: encoder states (T, B, M).
        weights: parameters, the attention's under ``attention.``.
        width: M.

    Returns:
        Keys (T, B, K).
    """
    if kind == "dot":
        return values
    matrix = weights["attention.projection.weight" if kind == "general" else "attention.memory.weight"]
    flat = graph.op("Reshape", values, graph.integers(-1, width))
    sizes = graph.op("Slice", graph.op("Shape", values), graph.integers(0), graph.integers(2))
    shape = graph.op("Concat", sizes, graph.integers(len(matrix)), axis=0)
    return graph.op("Reshape", graph.linear(graph.bounded(flat), matrix), shape)


def attend(graph: GraphBuilder, kind: AttentionName, query: Name, weights: Weights) -> tuple[Name, Name]:
    """Attend from a query (B, Q) over the inputs ``memory_0`` (B, S, M), ``memory_1`` (B, S, K) and ``lengths`` (B,).

    The products and the softmax were measured to give the same bits for any padded S that is a multiple of 4;
    otherwise the last bits depend on S, since the kernels sum a remainder in another order.

    Returns:
        Context (B, M) and weights (B, S), zero on padding.
    """
    if kind == "additive":
        projected = graph.linear(
            graph.bounded(query), weights["attention.query.weight"], weights["attention.query.bias"]
        )
        joint = graph.op("Tanh", graph.op("Add", graph.op("Unsqueeze", projected, graph.integers(1)), "memory_1"))
        score = np.ascontiguousarray(weights["attention.score.weight"].reshape(-1, 1))
        scores = graph.op("MatMul", joint, graph.constant(score, "weight"))  # (B, S, 1)
    else:
        scores = graph.op("MatMul", "memory_1", graph.op("Unsqueeze", query, graph.integers(2)))  # (B, S, 1)
    positions = graph.op("Shape", "memory_0", start=1, end=2)
    count = graph.op("Squeeze", positions, graph.integers(0))
    counted = graph.op("Range", graph.constant(np.array(0)), count, graph.constant(np.array(1)))
    inside = graph.op("Less", counted, graph.op("Unsqueeze", "lengths", graph.integers(1)))  # (B, S)
    masked = graph.op("Where", inside, graph.op("Squeeze", scores, graph.integers(2)), graph.number(-np.inf))
    shares = graph.op("Softmax", masked, axis=-1)
    context = graph.op("MatMul", graph.op("Unsqueeze", shares, graph.integers(1)), "memory_0")  # (B, 1, M)
    return graph.op("Squeeze", context, graph.integers(1)), shares
