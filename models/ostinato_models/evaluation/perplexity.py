"""Nats per character of a text under a character language model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from ostinato_bundle import Artifact
from ostinato_models.evaluation.batches import IntArray
from ostinato_models.evaluation.errors import EvaluationError
from ostinato_models.evaluation.result import Measured, ProgressReport, no_report
from ostinato_models.export.execution import Array, GraphRun, open_graph
from ostinato_models.export.graphs import graphs_of, write_artifact
from ostinato_models.export.signatures import Signature
from ostinato_models.export.source import load_bundle

WINDOW = 256
"""Characters that a call reads."""


@dataclass(frozen=True, slots=True)
class ScoreGraph:
    """A bundle's ``score`` graph, ready to run.

    Attributes:
        run: runs it.
        signature: its inputs and outputs.
        first_choice: the lowest id that the model can generate; the output layer omits the reserved ids below it.
    """

    run: GraphRun
    signature: Signature
    first_choice: int


def open_score(bundle: Path, artifact: Artifact) -> ScoreGraph:
    """Derive the bundle's ``score`` graph.

    A served step gives the log-probability of the token it chose. To score a given text the same cells are written,
    from the same weights and in the same precision, into a graph that takes the next token instead of choosing it;
    it is of no use to a server, so bundles do not carry it.
    """
    source = load_bundle(bundle)
    graphs = graphs_of(source)
    signature = graphs.signatures()["score"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "score"
        write_artifact(graphs, "score", artifact, path)
        return ScoreGraph(open_graph(path, artifact, signature), signature, source.vocabulary().first)


def nats_per_char(
    graph: ScoreGraph,
    context: IntArray,
    tokens: IntArray,
    *,
    lanes: int = 1,
    warm_up: int = 1024,
    report: ProgressReport = no_report,
) -> Measured:
    """Mean negative log-probability of every known character given all that come before it.

    A character that is not in the vocabulary has no probability: it is read as the unknown token and is not scored. The
    result counts such characters as ``unknown_tokens``.

    One lane is the definition itself: one pass from the first character to the last, the state carried. With more,
    the text is cut into equal stretches read side by side, each after `warm_up` characters that come before it and are
    not scored; that is faster and differs as far as characters further back matter.

    Args:
        graph: the bundle's ``score`` graph.
        context: token ids that come before the text (C,), read but not scored; when empty, the first character has
            nothing before it and is left out.
        tokens: the text's token ids (N,).
        lanes: stretches read side by side.
        warm_up: characters read before each stretch, and most of the context.
        report: told about progress.

    Raises:
        EvaluationError: the text is too short, or none of its characters is in the vocabulary.
    """
    context = context[-warm_up:] if len(context) else context
    everything = np.concatenate([context, tokens])
    first = max(1, len(context))  # place of the first character that is scored
    count = len(everything) - first
    if count < 1:
        raise EvaluationError("the text is too short: a character is predicted from those before it")
    unknown = int((everything[first:] < graph.first_choice).sum())
    if unknown == count:
        raise EvaluationError(
            f"none of its {count:,} characters{'' if len(context) else ' after the first'} is in the vocabulary of the "
            "model: check the encoding and the language of the text"
        )
    lanes = min(lanes, count)
    total = 0.0
    bounds = np.linspace(first, len(everything), lanes + 1).astype(int)
    starts = np.maximum(bounds[:-1] - warm_up, 0)
    longest = int((bounds[1:] - starts).max())
    state: dict[str, Array] = {
        tensor.name: np.zeros((lanes, *tensor.shape[1:]), np.float32)
        for tensor in graph.signature.inputs
        if tensor.name.startswith("state_")
    }
    for offset in range(0, longest - 1, WINDOW):
        places = starts[:, None] + np.arange(offset, min(offset + WINDOW, longest - 1))  # of the inputs, (B, T)
        targets = places + 1
        scored = (targets >= bounds[:-1, None]) & (targets < bounds[1:, None])
        # A lane that is done reads on at the end of the text; what it says there is not counted.
        inputs = everything[np.minimum(places, len(everything) - 1)]
        wanted = everything[np.minimum(targets, len(everything) - 1)]
        scored &= wanted >= graph.first_choice
        result = graph.run({"tokens": inputs, "targets": wanted, **state})
        total -= float(_sum(result["logprobs"], scored))
        state = {name: result[f"next_{name}"] for name in state}
        report(min(offset + WINDOW, longest), longest)
    known = count - unknown
    details = {"unknown_tokens": unknown, "lanes": lanes, "context": len(context)}
    return Measured({"nats_per_char": total / known}, known, details)


def _sum(logprobs: Array, scored: NDArray[np.bool_]) -> float:
    return float(np.where(scored, logprobs.astype(np.float64), 0.0).sum())
