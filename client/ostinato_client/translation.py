"""Folding the messages of a translation into target tokens and a result."""

from __future__ import annotations

import numpy as np

from ostinato.v1 import translation_pb2
from ostinato_client.errors import ServerError
from ostinato_client.generation import finish_reason_from, timings_from
from ostinato_client.results import FloatArray, TargetToken, Translation


class TranslationFold:
    """Collects one translation."""

    __slots__ = ("_source", "_summary", "_tokens")

    def __init__(self) -> None:
        self._source: translation_pb2.SourceSentence | None = None
        self._tokens: list[TargetToken] = []
        self._summary: translation_pb2.TranslationSummary | None = None

    def feed(self, response: translation_pb2.TranslateResponse) -> tuple[TargetToken, ...]:
        """Takes the next message; gives the target tokens in it."""
        match response.WhichOneof("payload"):
            case "source":
                self._source = response.source
                return ()
            case "chunk":
                tokens = tuple(token_from(each) for each in response.chunk.tokens)
                self._tokens.extend(tokens)
                return tokens
            case "summary":
                self._summary = response.summary
                return ()
            case _:  # a payload that a newer server may send
                return ()

    @property
    def position(self) -> int:
        """Messages received, as far as they tell something."""
        return len(self._tokens) + (self._source is not None)

    @property
    def resumable(self) -> bool:
        """Whether another call can continue after what has come: a translation cannot."""
        return False

    @property
    def source_tokens(self) -> tuple[str, ...]:
        """The source as the model reads it; empty until the stream's first message."""
        return tuple(self._source.tokens) if self._source is not None else ()

    def finish(self) -> Translation:
        """The translation.

        Raises:
            ServerError: The stream ended without a source or a summary, or an attention row has another length than
                the source.
        """
        summary, source = self._summary, self._source
        if summary is None or source is None:
            missing = "summary" if summary is None else "source"
            raise ServerError(f"the stream ended without a {missing}", code="DATA_LOSS")
        return Translation(
            text=summary.text,
            source_tokens=tuple(source.tokens),
            target_tokens=tuple(token.token for token in self._tokens),
            attention=attention_matrix(self._tokens, len(source.tokens)),
            score=summary.score,
            finish_reason=finish_reason_from(summary.finish_reason),
            unknown_tokens=source.unknown_tokens,
            model=summary.model,
            version=summary.version,
            timings=timings_from(summary.timings),
        )


def token_from(message: translation_pb2.TargetToken) -> TargetToken:
    """The value that stands for a message."""
    return TargetToken(
        token=message.token,
        text=message.text,
        logprob=message.logprob,
        attention=_row(message) if message.attention else None,
    )


def attention_matrix(tokens: list[TargetToken], source_length: int) -> FloatArray | None:
    """The rows of all tokens, shape (target, source); None where no token has one.

    Raises:
        ServerError: Some rows are missing, or are not as long as the source.
    """
    rows = [token.attention for token in tokens if token.attention is not None]
    if not rows:
        return None
    if len(rows) != len(tokens) or any(row.shape != (source_length,) for row in rows):
        raise ServerError(
            f"an attention row does not hold one weight per source token ({source_length})", code="DATA_LOSS"
        )
    return _frozen(np.stack(rows))


def _row(message: translation_pb2.TargetToken) -> FloatArray:
    return _frozen(np.fromiter(message.attention, dtype=np.float32, count=len(message.attention)))


def _frozen(array: FloatArray) -> FloatArray:
    array.setflags(write=False)
    return array
