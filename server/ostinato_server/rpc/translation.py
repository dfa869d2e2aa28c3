"""TranslationService: streams target tokens with their attention, sentence by sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ostinato.v1 import generation_pb2, translation_pb2, translation_pb2_grpc
from ostinato_server.engine.admission import Admission
from ostinato_server.engine.request import Finished, FinishReason, GeneratedToken, Standing, TranslationRequest
from ostinato_server.engine.sequence import BeamSequence, EngineSequence, SampledSequence
from ostinato_server.engine.series import StreamSeries
from ostinato_server.repository.codec import TextCodec
from ostinato_server.repository.model import DecodeModel
from ostinato_server.rpc import fields
from ostinato_server.rpc.desk import Desk
from ostinato_server.rpc.generated import FINISH_REASONS
from ostinato_server.rpc.source_text import SourceSentence, SourceText, read_source
from ostinato_server.rpc.standing import read_standing

if TYPE_CHECKING:
    from ostinato.v1.translation_pb2_grpc import _ServicerContext

DEFAULT_LENGTH_PENALTY = 0.6
MAX_LENGTH_PENALTY = 5.0

SLOTS_AT_ONCE = 4
"""Slots that the sentences of one text hold together: a long text must not take the batch from others."""


class TranslationService(translation_pb2_grpc.TranslationServiceServicer):
    """Streams translations.

    Args:
        desk: Where requests find their model.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def Translate(  # noqa: N802 (the contract's name)
        self, request: translation_pb2.TranslateRequest, context: _ServicerContext
    ) -> AsyncIterator[translation_pb2.TranslateResponse]:
        """Translates a text."""
        version = request.version if request.HasField("version") else None
        model = self._desk.find(DecodeModel, "translation", request.model, version)
        with self._desk.count(model) as call:
            deadline = self._desk.deadline(context)
            standing = read_standing(request.priority, call)
            model.client.admission.check(priority=standing.priority, deadline=deadline)
            asked = read_request(request, model, deadline, standing)
            call.read(sum(len(each.source) for each in asked.sentences))
            answer = _Answer(asked, model)
            makes = [partial(_sequence, request=each, model=model) for each in asked.sentences]
            at_once = sentences_at_once(asked.beam_size, model.client.admission)
            async with StreamSeries(model.client, makes, at_once, call) as series:
                for index, stream in enumerate(series):
                    yield answer.source(index)
                    while tokens := await stream.read():
                        if new := answer.add(index, tokens):
                            call.sent(len(new))
                            yield answer.chunk(index, new)
                    if stream.finished is not None:
                        yield answer.end(index, stream.finished, stream.milestones.arrived)
            yield answer.summary()


@dataclass(frozen=True, slots=True)
class AskedTranslation:
    """A request in the engine's terms.

    Attributes:
        text: The whole source.
        sentences: Those to translate, one request to the engine for each.
        first: Number of the first of them; the client has those before it.
        position: How many target tokens of that one the client has.
        beam_size: Slots that each takes.
    """

    text: SourceText
    sentences: tuple[TranslationRequest, ...]
    first: int
    position: int
    beam_size: int


def sentences_at_once(beam_size: int, admission: Admission) -> int:
    """How many sentences of one text run together, at least one."""
    return max(1, min(SLOTS_AT_ONCE, admission.limit) // beam_size)


def read_request(
    request: translation_pb2.TranslateRequest, model: DecodeModel, deadline: float, standing: Standing
) -> AskedTranslation:
    """The request in the engine's terms.

    Raises:
        InvalidArgument: A field is out of its limits.
    """
    limits = model.limits
    beam_size = request.beam_size if request.HasField("beam_size") else 1
    penalty = request.length_penalty if request.HasField("length_penalty") else DEFAULT_LENGTH_PENALTY
    max_tokens = request.max_tokens if request.HasField("max_tokens") else limits.max_new_tokens
    fields.number("beam_size", beam_size, 1, limits.max_beam_size)
    fields.number("length_penalty", penalty, 0, MAX_LENGTH_PENALTY)
    fields.number("max_tokens", max_tokens, 1, limits.max_new_tokens)
    text = read_source(request.text, model)
    first, position = request.resumption.sentence, request.resumption.position
    fields.number("resumption.sentence", first, 0, len(text.sentences))
    sentences = tuple(
        TranslationRequest(
            source=sentence.tokens,
            beam_size=beam_size,
            length_penalty=penalty,
            max_tokens=min(max_tokens, limits.most_new_tokens(len(sentence.tokens))),
            include_attention=request.include_attention,
            deadline=deadline,
            standing=standing,
        )
        for sentence in text.sentences[first:]
    )
    fields.number("resumption.position", position, 0, sentences[0].max_tokens if sentences else 0)
    return AskedTranslation(text, sentences, first, position, beam_size)


def _sequence(stream_id: int, arrival: float, request: TranslationRequest, model: DecodeModel) -> EngineSequence:
    end_id = model.manifest.tokenizer.end_id
    text = model.codec.text()
    if request.beam_size > 1 and end_id is not None:
        return BeamSequence(stream_id, request, arrival, text, end_id)
    return SampledSequence(stream_id, request, arrival, text, end_id)


class _Answer:
    """The messages of a stream, and what its summary needs of them.

    Sentences are counted from the first that is translated here.
    """

    def __init__(self, asked: AskedTranslation, model: DecodeModel) -> None:
        self._asked = asked
        self._model = model
        self._sentences: Sequence[SourceSentence] = asked.text.sentences[asked.first :]
        self._texts: list[list[str]] = [[] for _ in self._sentences]
        self._reason = FinishReason.END_OF_SEQUENCE
        self._score = 0.0
        self._timings = generation_pb2.StreamTimings()
        self._arrived = 0.0

    def source(self, index: int) -> translation_pb2.TranslateResponse:
        """The message that a sentence begins with."""
        sentence, codec = self._sentences[index], self._model.codec
        return translation_pb2.TranslateResponse(
            source=translation_pb2.SourceSentence(
                tokens=[codec.piece(token) for token in sentence.tokens],
                unknown_tokens=codec.unknown(list(sentence.tokens)),
                sentence=self._asked.first + index,
                start=sentence.place.start,
                end=sentence.place.end,
                version=self._model.version,
            )
        )

    def add(self, index: int, tokens: Sequence[GeneratedToken]) -> Sequence[GeneratedToken]:
        """Takes the next tokens of a sentence; gives those that the client does not have yet."""
        texts = self._texts[index]
        known = max(0, self._asked.position - len(texts)) if index == 0 else 0
        if not texts:
            tokens = [tokens[0]._replace(text=self._sentences[index].separator + tokens[0].text), *tokens[1:]]
        texts.extend(token.text for token in tokens)
        return tokens[known:]

    def chunk(self, index: int, tokens: Sequence[GeneratedToken]) -> translation_pb2.TranslateResponse:
        """The message with some tokens of a sentence."""
        return translation_pb2.TranslateResponse(
            chunk=translation_pb2.TargetChunk(
                tokens=[_target(token, self._model.codec) for token in tokens], sentence=self._asked.first + index
            )
        )

    def end(self, index: int, finished: Finished, arrived: float) -> translation_pb2.TranslateResponse:
        """The message that a sentence ends with.

        Raises:
            InvalidArgument: The client has more tokens of it than there are.
        """
        texts = self._texts[index]
        if index == 0:
            fields.number("resumption.position", self._asked.position, 0, len(texts))
            self._arrived = arrived
            self._timings.queue_seconds = finished.queue_seconds
            self._timings.time_to_first_token_seconds = finished.first_token_seconds
        self._timings.total_seconds = max(self._timings.total_seconds, arrived + finished.total_seconds - self._arrived)
        self._score += finished.score
        if finished.reason is FinishReason.LENGTH:
            self._reason = finished.reason
        return translation_pb2.TranslateResponse(
            sentence=translation_pb2.SentenceSummary(
                sentence=self._asked.first + index,
                finish_reason=FINISH_REASONS[finished.reason],
                text="".join(texts)[len(self._sentences[index].separator) :],
                score=finished.score,
            )
        )

    def summary(self) -> translation_pb2.TranslateResponse:
        """The message that the stream ends with."""
        trailing = self._asked.text.trailing
        return translation_pb2.TranslateResponse(
            summary=translation_pb2.TranslationSummary(
                finish_reason=FINISH_REASONS[self._reason],
                text="".join(text for texts in self._texts for text in texts) + trailing,
                score=self._score,
                model=self._model.name,
                version=self._model.version,
                source_tokens=sum(len(sentence.tokens) for sentence in self._sentences),
                target_tokens=sum(map(len, self._texts)),
                timings=self._timings,
                trailing_text=trailing,
            )
        )


def _target(token: GeneratedToken, codec: TextCodec) -> translation_pb2.TargetToken:
    return translation_pb2.TargetToken(
        token=codec.piece(token.token_id),
        text=token.text,
        logprob=token.logprob,
        attention=[] if token.attention is None else token.attention.tolist(),
    )
