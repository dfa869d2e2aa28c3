"""Scores of texts, as messages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ostinato.v1 import sentiment_pb2
from ostinato_server.repository.model import ClassifyModel
from ostinato_server.rpc import fields
from ostinato_server.rpc.call import Call


async def score_texts(
    model: ClassifyModel, texts: Sequence[list[int]], include_trace: bool, deadline: float, call: Call
) -> list[sentiment_pb2.SentimentScore]:
    """The scores of texts that are given as tokens, in their order.

    Raises:
        ServerError: The queue is full, the deadline passed, the runtime failed, or a trace needs too many slots.
    """
    if include_trace:
        fields.admissible("include_trace", max(map(len, texts)), model.client.admission)
    rows = await model.client.classify(texts, deadline, call)
    scores = [_score(model, tokens, row) for tokens, row in zip(texts, rows, strict=True)]
    if include_trace:
        for tokens, score in zip(texts, scores, strict=True):
            beginnings = [tokens[:length] for length in range(1, len(tokens) + 1)]
            for token, row in zip(tokens, await model.client.classify(beginnings, deadline, call), strict=True):
                score.trace.add(token=model.codec.piece(token), positive_probability=float(row[1]))
    return scores


def _score(model: ClassifyModel, tokens: list[int], row: NDArray[np.float32]) -> sentiment_pb2.SentimentScore:
    negative, positive = float(row[0]), float(row[1])
    return sentiment_pb2.SentimentScore(
        sentiment=sentiment_pb2.SENTIMENT_POSITIVE if positive >= negative else sentiment_pb2.SENTIMENT_NEGATIVE,
        positive_probability=positive,
        negative_probability=negative,
        token_count=len(tokens),
        unknown_tokens=model.codec.unknown(tokens),
        model=model.name,
        version=model.version,
    )
