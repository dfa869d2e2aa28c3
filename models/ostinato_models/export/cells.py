"""Recurrent cells as ONNX nodes: the equations of `ostinato_models.networks.cells`, gate by gate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ostinato_models.export.graph_builder import GraphBuilder, Name
from ostinato_models.export.quantization import FloatArray
from ostinato_models.export.weights import CellWeights

FOLD_LIMIT = 1_000_000
"""Most numbers in a folded input table (4 MB): characters fold, thousands of subwords do not."""


def cell_step(graph: GraphBuilder, projected: Name, state: Sequence[Name], weights: CellWeights) -> list[Name]:
    """One time step.

    Args:
        graph: where the nodes go.
        projected: the input's share of the gates, biases included, (B, G*H).
        state: hidden state and, for the LSTM, cell state, each (B, H).
        weights: the layer.

    Returns:
        The new state.
    """
    hidden, size = state[0], weights.size
    operand = graph.bounded(hidden)
    if weights.cell == "rnn":
        return [graph.op("Tanh", graph.linear(operand, weights.recurrent, plus=projected))]
    if weights.cell == "gru":
        recurrent = graph.linear(operand, weights.recurrent, weights.recurrent_bias)
        halves = graph.integers(2 * size, size)
        gates_x, new_x = graph.ops("Split", projected, halves, count=2, axis=1)
        gates_h, new_h = graph.ops("Split", recurrent, halves, count=2, axis=1)
        gates = graph.op("Sigmoid", graph.op("Add", gates_x, gates_h))
        reset, update = graph.ops("Split", gates, graph.integers(size, size), count=2, axis=1)
        new = graph.op("Tanh", graph.op("Add", new_x, graph.op("Mul", reset, new_h)))
        return [graph.op("Add", new, graph.op("Mul", update, graph.op("Sub", hidden, new)))]
    gates = graph.linear(operand, weights.recurrent, plus=projected)
    open_gates, candidate = graph.ops("Split", gates, graph.integers(3 * size, size), count=2, axis=1)
    opened = graph.op("Sigmoid", open_gates)
    enter, forget, leave = graph.ops("Split", opened, graph.integers(size, size, size), count=3, axis=1)
    kept = graph.op("Mul", forget, state[1])
    memory = graph.op("Add", kept, graph.op("Mul", enter, graph.op("Tanh", candidate)))
    return [graph.op("Mul", leave, graph.op("Tanh", memory)), memory]


def project_tokens(graph: GraphBuilder, tokens: Name, table: FloatArray, weights: CellWeights) -> Name:
    """The first layer's share of the gates for tokens (B,), shape (B, G*H).

    When the table is small the product with the input weights is done here, once for every token there is: a lookup
    replaces the matrix product.
    """
    if table.shape[0] * weights.input.shape[0] <= FOLD_LIMIT:
        folded = table.astype(np.float64) @ weights.input.T.astype(np.float64) + weights.input_bias
        return graph.op("Gather", graph.constant(folded.astype(np.float32), "table"), tokens)
    return graph.linear(graph.embed(table, tokens), weights.input, weights.input_bias)


def stack_step(
    graph: GraphBuilder, token: Name, state: Sequence[Name], table: FloatArray, layers: Sequence[CellWeights]
) -> list[Name]:
    """One time step of a stack that reads tokens (B,); returns the new state, layer by layer."""
    following: list[Name] = []
    projected = project_tokens(graph, token, table, layers[0])
    for index, weights in enumerate(layers):
        if index:
            below = graph.bounded(following[-weights.states])
            projected = graph.linear(below, weights.input, weights.input_bias)
        own = state[index * weights.states : (index + 1) * weights.states]
        following += cell_step(graph, projected, own, weights)
    return following
