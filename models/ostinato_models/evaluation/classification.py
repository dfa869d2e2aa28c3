"""Accuracy and F1 of a sentiment classifier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import accuracy_score, f1_score

from ostinato_models.data.examples import POSITIVE, LabelledText
from ostinato_models.evaluation.batches import batches_by_length
from ostinato_models.evaluation.errors import EvaluationError
from ostinato_models.evaluation.result import Measured, ProgressReport, no_report
from ostinato_models.export.execution import GraphRun

BATCH = 64


def classify(
    run: GraphRun,
    rows: Sequence[Sequence[int]],
    texts: Sequence[LabelledText],
    *,
    report: ProgressReport = no_report,
) -> Measured:
    """Score texts and compare with their labels.

    Args:
        run: the ``classifier`` graph.
        rows: token ids of every text, none empty.
        texts: the texts with their labels.
        report: told about progress.

    Returns:
        ``accuracy``, and the ``f1`` of the positive class.

    Raises:
        EvaluationError: there are no texts.
    """
    if not rows:
        raise EvaluationError("there is no text to score")
    predicted = np.zeros(len(rows), np.int64)
    done = 0
    for chosen, tokens, lengths in batches_by_length(rows, BATCH):
        predicted[chosen] = run({"tokens": tokens, "lengths": lengths})["probabilities"].argmax(axis=1)
        done += len(chosen)
        report(done, len(rows))
    labels = [text.label for text in texts]
    measures = {
        "accuracy": float(accuracy_score(labels, predicted)),
        "f1": float(f1_score(labels, predicted, pos_label=POSITIVE, zero_division=0.0)),
    }
    return Measured(measures, len(rows))
