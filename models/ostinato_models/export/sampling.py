"""Choosing the next token inside the graph, so that a step is one call with almost no Python around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from ostinato_models.export.graph_builder import GraphBuilder, Name

TRIANGLE_LIMIT = 512
"""Largest vocabulary whose cumulative sums are a product with a constant triangle; CumSum is slower up to there."""

ALTERNATIVES = 20
"""Most alternatives that a step reports."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Which tokens a model may generate: all from `first` on; reserved ones come before."""

    size: int
    first: int

    @property
    def choices(self) -> int:
        """How many tokens can be generated."""
        return self.size - self.first


def rank(graph: GraphBuilder, logits: Name, count: int, first: int) -> tuple[Name, Name]:
    """Sort what can be generated, most probable first, lowest id first among equals.

    Args:
        graph: where the nodes go.
        logits: scores of the tokens from `first` on, (B, N).
        count: how many of the most probable to keep.
        first: id of the first token.

    Returns:
        Log-probabilities (B, count) and token ids (B, count).
    """
    logprobs, indices = graph.ops(
        "TopK", graph.op("LogSoftmax", logits, axis=-1), graph.integers(count), count=2, axis=-1, largest=1, sorted=1
    )
    if first:
        indices = graph.op("Add", indices, graph.constant(np.array(first, np.int64), "first"))
    return logprobs, indices


def sample(graph: GraphBuilder, logprobs: Name, size: int) -> Name:
    """Draw a rank from sorted log-probabilities.

    Inputs named ``temperature``, ``top_k``, ``top_p`` and ``uniform``, each (B,), decide: what is kept is a prefix of
    the sorted order, so one cumulative sum serves both the nucleus (Holtzman et al., 2020) and the inverse
    distribution function. Temperature 0 keeps the first alone.

    Args:
        graph: where the nodes go.
        logprobs: sorted, (B, V).
        size: V.

    Returns:
        Rank (B, 1), int64.
    """
    column = graph.integers(1)
    temperature = graph.op("Unsqueeze", "temperature", column)
    greedy = graph.op("Equal", temperature, graph.number(0.0))
    divisor = graph.op("Where", greedy, graph.number(1.0), temperature)
    mass = _cumulative(graph, graph.op("Softmax", graph.op("Div", logprobs, divisor), axis=-1), size)  # (B, V)

    # Rank i is in the nucleus when the mass before it is below top_p; at 1 nothing may be lost to rounding.
    top_p = graph.op("Unsqueeze", "top_p", column)
    top_p = graph.op("Where", graph.op("Less", top_p, graph.number(1.0)), top_p, graph.number(2.0))
    nucleus = graph.op("Add", _count(graph, graph.op("Less", mass, top_p)), graph.number(1.0))
    top_k = graph.op("Cast", graph.op("Unsqueeze", "top_k", column), to=TensorProto.FLOAT)
    top_k = graph.op("Where", graph.op("Greater", top_k, graph.number(0.0)), top_k, graph.number(float(size)))
    kept = graph.op("Min", graph.op("Min", nucleus, top_k), graph.number(float(size)))
    kept = graph.op("Where", greedy, graph.number(1.0), kept)  # (B, 1)

    last = graph.op("Sub", kept, graph.number(1.0))
    total = graph.op("GatherElements", mass, graph.op("Cast", last, to=TensorProto.INT64), axis=1)
    target = graph.op("Mul", graph.op("Unsqueeze", "uniform", column), total)
    drawn = graph.op("Min", _count(graph, graph.op("LessOrEqual", mass, target)), last)
    return graph.op("Cast", drawn, to=TensorProto.INT64)


def give_choice(graph: GraphBuilder, logprobs: Name, tokens: Name, size: int, alternatives: int) -> None:
    """Draw the next token and name what a step says of it.

    The graph then gives ``next_token`` (B,), ``logprob`` (B,), ``top_tokens`` (B, A) and ``top_logprobs`` (B, A).

    Args:
        graph: where the nodes go; it has the inputs that `sample` reads.
        logprobs: sorted, (B, V).
        tokens: their ids, (B, V).
        size: V.
        alternatives: A, at most V.
    """
    drawn = sample(graph, logprobs, size)
    for name, values in (("next_token", tokens), ("logprob", logprobs)):
        graph.rename(graph.op("Squeeze", graph.op("GatherElements", values, drawn, axis=1), graph.integers(1)), name)
    for name, values in (("top_tokens", tokens), ("top_logprobs", logprobs)):
        if alternatives < size:
            values = graph.op("Slice", values, graph.integers(0), graph.integers(alternatives), graph.integers(1))
        graph.rename(values, name)


def _cumulative(graph: GraphBuilder, values: Name, size: int) -> Name:
    if size <= TRIANGLE_LIMIT:
        triangle = np.triu(np.ones((size, size), np.float32))
        return graph.op("Gemm", values, graph.constant(triangle, "triangle"))
    return graph.op("CumSum", values, graph.constant(np.array(1, np.int64), "axis"))


def _count(graph: GraphBuilder, condition: Name) -> Name:
    """How many of a row's conditions (B, V) hold: float (B, 1)."""
    return graph.op("ReduceSum", graph.op("Cast", condition, to=TensorProto.FLOAT), graph.integers(1), keepdims=1)
