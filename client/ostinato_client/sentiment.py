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


class TypingFold:
    """Sends what changes in one text that is being typed, and gives each score the text that it is of.

    Safe with one sender and one receiver, each in its own thread.
    """

    __slots__ = ("_changes", "_model", "_scored", "_text", "_version", "_waiting")

    def __init__(self, *, model: str, version: int | None) -> None:
        self._model = model
        self._version = version
        self._text = ""
        self._changes = 0
        self._scored = 0
        self._waiting: deque[str] = deque()

    def send(self, text: str) -> sentiment_pb2.ClassifyIncrementalRequest:
        """The message for the text as it is now.

        Raises:
            InvalidRequest: A text that a message cannot hold.
        """
        (text,) = requests.text_list("texts", [text], first=self._changes)
        kept = _common_length(self._text, text)
        first = not self._changes
        request = requests.classify_incremental_request(
            len(self._text) - kept,
            text[kept:],
            model=self._model if first else "",
            version=self._version if first else None,
        )
        self._waiting.append(text)
        self._text = text
        self._changes += 1
        return request

    def feed(self, response: sentiment_pb2.ClassifyIncrementalResponse) -> tuple[SentimentScore, ...]:
        """Takes the next message; gives the score in it, which it has unless the text is blank.

        Raises:
            ServerError: The score is not of a text that was sent and is due.
        """
        if not self._scored < response.change_count <= self._scored + len(self._waiting):
            raise ServerError(
                f"a score for change {response.change_count} came back after that for {self._scored}", code="DATA_LOSS"
            )
        text = ""
        while self._scored < response.change_count:
            text = self._waiting.popleft()
            self._scored += 1
        return (score_from(text, response.score),) if response.HasField("score") else ()

    def finish(self) -> int:
        """How many texts were sent.

        Raises:
            ServerError: The stream ended before the last text had its score.
        """
        if self._waiting:
            raise ServerError(f"the stream ended before the score for change {self._changes}", code="DATA_LOSS")
        return self._scored


def _common_length(one: str, other: str) -> int:
    """Characters that two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))
