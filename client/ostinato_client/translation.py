"""Folding the messages of a translation into target tokens and a result."""

from __future__ import annotations

import numpy as np

from ostinato.v1 import translation_pb2
from ostinato_client.errors import ServerError
from ostinato_client.generation import finish_reason_from, timings_from
from ostinato_client.results import FloatArray, TargetToken, TranslatedSentence, Translation


class _Sentence:
    """What has come of a sentence."""

    __slots__ = ("end", "source", "tokens")

    def __init__(self, source: translation_pb2.SourceSentence) -> None:
        self.source = source
        self.tokens: list[TargetToken] = []
        self.end: translation_pb2.SentenceSummary | None = None


class TranslationFold:
    """Collects one translation, over as many calls as it takes.

    Args:
        request: The first call's request.
    """

    __slots__ = ("_request", "_sentences", "_summary")

    def __init__(self, request: translation_pb2.TranslateRequest) -> None:
        self._request = request
        self._sentences: list[_Sentence] = []
        self._summary: translation_pb2.TranslationSummary | None = None

    def request(self) -> translation_pb2.TranslateRequest:
        """The request that continues after what has come."""
        if not self._sentences:
            return self._request
        last = self._sentences[-1]
        request = translation_pb2.TranslateRequest()
        request.CopyFrom(self._request)
        request.version = last.source.version
        if last.end is None:
            request.resumption.sentence, request.resumption.position = len(self._sentences) - 1, len(last.tokens)
        else:
            request.resumption.sentence = len(self._sentences)
        return request

    def feed(self, response: translation_pb2.TranslateResponse) -> tuple[TargetToken, ...]:
        """Takes the next message; gives the target tokens in it.

        Raises:
            ServerError: It belongs to a sentence that is not the one being translated.
        """
        match response.WhichOneof("payload"):
            case "source":
                if response.source.sentence != len(self._sentences) - 1:  # a resumed call begins with a known sentence
                    self._check(response.source.sentence, len(self._sentences))
                    self._sentences.append(_Sentence(response.source))
                return ()
            case "chunk":
                self._check(response.chunk.sentence, len(self._sentences) - 1)
                tokens = tuple(token_from(each, response.chunk.sentence) for each in response.chunk.tokens)
                self._sentences[-1].tokens.extend(tokens)
                return tokens
            case "sentence":
                self._check(response.sentence.sentence, len(self._sentences) - 1)
                self._sentences[-1].end = response.sentence
                return ()
            case "summary":
                self._summary = response.summary
                return ()
            case _:  # a payload that a newer server may send
                return ()

    @property
    def position(self) -> int:
        """Messages and tokens received, as far as they tell something."""
        return sum(1 + len(each.tokens) + (each.end is not None) for each in self._sentences)

    @property
    def resumable(self) -> bool:
        """Whether the server has sent what it takes to continue."""
        return bool(self._sentences) and self._sentences[0].source.version > 0

    @property
    def source_tokens(self) -> tuple[str, ...]:
        """The sentence being translated as the model reads it; empty until the stream's first message."""
        return tuple(self._sentences[-1].source.tokens) if self._sentences else ()

    def finish(self) -> Translation:
        """The translation.

        Raises:
            ServerError: The stream ended without a source, a summary or the end of a sentence, or an attention row has
                another length than its source.
        """
        summary = self._summary
        if summary is None or not self._sentences:
            missing = "summary" if summary is None else "source"
            raise ServerError(f"the stream ended without a {missing}", code="DATA_LOSS")
        texts = [token.text for each in self._sentences for token in each.tokens]
        return Translation(
            text="".join(texts) + summary.trailing_text,
            sentences=tuple(self._finished(each) for each in self._sentences),
            model=summary.model,
            version=summary.version,
            timings=timings_from(summary.timings),
        )

    def _finished(self, sentence: _Sentence) -> TranslatedSentence:
        source, end = sentence.source, sentence.end
        if end is None:
            raise ServerError(f"the stream ended without the end of sentence {source.sentence}", code="DATA_LOSS")
        return TranslatedSentence(
            source=self._request.text[source.start : source.end],
            start=source.start,
            end=source.end,
            text=end.text,
            source_tokens=tuple(source.tokens),
            target_tokens=tuple(token.token for token in sentence.tokens),
            attention=attention_matrix(sentence.tokens, len(source.tokens)),
            score=end.score,
            finish_reason=finish_reason_from(end.finish_reason),
            unknown_tokens=source.unknown_tokens,
        )

    def _check(self, sentence: int, expected: int) -> None:
        if sentence != expected:
            raise ServerError(f"a message of sentence {sentence} came where {expected} was due", code="DATA_LOSS")


def token_from(message: translation_pb2.TargetToken, sentence: int) -> TargetToken:
    """The value that stands for a message."""
    return TargetToken(
        token=message.token,
        text=message.text,
        logprob=message.logprob,
        attention=_row(message) if message.attention else None,
        sentence=sentence,
    )


def attention_matrix(tokens: list[TargetToken], source_length: int) -> FloatArray | None:
    """The rows of a sentence's tokens, shape (target, source); None where no token has one.

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
