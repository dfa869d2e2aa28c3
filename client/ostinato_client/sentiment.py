"""Folding the messages of sentiment calls into scores."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ostinato.v1 import sentiment_pb2
from ostinato_client import requests
from ostinato_client.errors import ServerError
from ostinato_client.results import Sentiment, SentimentScore, TracePoint

_SENTIMENTS: Mapping[int, Sentiment] = MappingProxyType(
    {
        sentiment_pb2.SENTIMENT_NEGATIVE: Sentiment.NEGATIVE,
        sentiment_pb2.SENTIMENT_POSITIVE: Sentiment.POSITIVE,
    }
)


def score_from(text: str, message: sentiment_pb2.SentimentScore) -> SentimentScore:
    """The value that stands for a message."""
    return SentimentScore(
        text=text,
        sentiment=_SENTIMENTS.get(message.sentiment, Sentiment.UNSPECIFIED),
        positive_probability=message.positive_probability,
        negative_probability=message.negative_probability,
        token_count=message.token_count,
        unknown_tokens=message.unknown_tokens,
        trace=tuple(TracePoint(each.token, each.positive_probability) for each in message.trace),
        model=message.model,
        version=message.version,
    )


def scores_from(texts: Sequence[str], response: sentiment_pb2.ClassifyBatchResponse) -> list[SentimentScore]:
    """The scores of a batch, in the order of the texts.

    Raises:
        ServerError: There is not one score per text.
    """
    if len(response.scores) != len(texts):
        raise ServerError(f"{len(response.scores)} scores came back for {len(texts)} texts", code="DATA_LOSS")
    return [score_from(text, score) for text, score in zip(texts, response.scores, strict=True)]


class SentimentFold:
    """Numbers the texts of one bidirectional stream and hands each score its text back.

    Safe with one sender and one receiver, each in its own thread.
    """

    __slots__ = ("_model", "_received", "_sent", "_trace", "_version", "_waiting")

    def __init__(self, *, model: str, version: int | None, trace: bool) -> None:
        self._model = model
        self._version = version
        self._trace = trace
        self._waiting: deque[str] = deque()
        self._sent = 0
        self._received = 0

    def send(self, text: str) -> sentiment_pb2.ClassifyStreamRequest:
        """The message for the next text.

        Raises:
            InvalidRequest: A text that a message cannot hold.
        """
        request = requests.classify_stream_request(
            text, self._sent, model=self._model, version=self._version, trace=self._trace
        )
        self._sent += 1
        self._waiting.append(text)
        return request

    def feed(self, response: sentiment_pb2.ClassifyStreamResponse) -> tuple[SentimentScore, ...]:
        """Takes the next message; gives the score in it.

        Raises:
            ServerError: The score is not of the text that is due.
        """
        if not self._waiting or response.request_id != str(self._received):
            raise ServerError(
                f"a score for text {response.request_id!r} came back where text {self._received} was due",
                code="DATA_LOSS",
            )
        self._received += 1
        return (score_from(self._waiting.popleft(), response.score),)

    def finish(self) -> int:
        """How many texts were scored.

        Raises:
            ServerError: The stream ended before every text that was sent had its score.
        """
        if self._waiting:
            raise ServerError(f"the stream ended after {self._received} of {self._sent} scores", code="DATA_LOSS")
        return self._received
