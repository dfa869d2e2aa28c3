"""TranslationService: streams target tokens with their attention."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING

from ostinato.v1 import translation_pb2, translation_pb2_grpc
from ostinato_server.engine.request import Finished, GeneratedToken, Standing, TranslationRequest
from ostinato_server.engine.sequence import BeamSequence, EngineSequence, SampledSequence
from ostinato_server.repository.codec import TextCodec
from ostinato_server.repository.model import DecodeModel
from ostinato_server.rpc import fields
from ostinato_server.rpc.desk import Desk
from ostinato_server.rpc.generated import FINISH_REASONS, timings
from ostinato_server.rpc.standing import read_standing

if TYPE_CHECKING:
    from ostinato.v1.translation_pb2_grpc import _ServicerContext

DEFAULT_LENGTH_PENALTY = 0.6
MAX_LENGTH_PENALTY = 5.0


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
        """Translates a sentence."""
        version = request.version if request.HasField("version") else None
        model = self._desk.find(DecodeModel, "translation", request.model, version)
        with self._desk.count(model) as call:
            deadline = self._desk.deadline(context)
            standing = read_standing(request.priority, call)
            model.client.admission.check(priority=standing.priority, deadline=deadline)
            asked = read_request(request, model, deadline, standing)
            call.read(len(asked.source))
            texts: list[str] = []
            async with model.client.open(partial(_sequence, request=asked, model=model), call) as stream:
                yield _source(asked, model.codec)
                while tokens := await stream.read():
                    call.sent(len(tokens))
                    texts.extend(token.text for token in tokens)
                    yield translation_pb2.TranslateResponse(
                        chunk=translation_pb2.TargetChunk(tokens=[_target(token, model.codec) for token in tokens])
                    )
                if stream.finished is not None:
                    yield _summary(stream.finished, asked, "".join(texts), len(texts), model)


def read_request(
    request: translation_pb2.TranslateRequest, model: DecodeModel, deadline: float, standing: Standing
) -> TranslationRequest:
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
    return TranslationRequest(
        source=tuple(fields.words("text", request.text, model)),
        beam_size=beam_size,
        length_penalty=penalty,
        max_tokens=max_tokens,
        include_attention=request.include_attention,
        deadline=deadline,
        standing=standing,
    )


def _sequence(stream_id: int, arrival: float, request: TranslationRequest, model: DecodeModel) -> EngineSequence:
    end_id = model.manifest.tokenizer.end_id
    text = model.codec.text()
    if request.beam_size > 1 and end_id is not None:
        return BeamSequence(stream_id, request, arrival, text, end_id)
    return SampledSequence(stream_id, request, arrival, text, end_id)


def _source(request: TranslationRequest, codec: TextCodec) -> translation_pb2.TranslateResponse:
    return translation_pb2.TranslateResponse(
        source=translation_pb2.SourceSentence(
            tokens=[codec.piece(token) for token in request.source], unknown_tokens=codec.unknown(list(request.source))
        )
    )


def _target(token: GeneratedToken, codec: TextCodec) -> translation_pb2.TargetToken:
    return translation_pb2.TargetToken(
        token=codec.piece(token.token_id),
        text=token.text,
        logprob=token.logprob,
        attention=[] if token.attention is None else token.attention.tolist(),
    )


def _summary(
    finished: Finished, request: TranslationRequest, text: str, target_tokens: int, model: DecodeModel
) -> translation_pb2.TranslateResponse:
    return translation_pb2.TranslateResponse(
        summary=translation_pb2.TranslationSummary(
            finish_reason=FINISH_REASONS[finished.reason],
            text=text,
            score=finished.score,
            model=model.name,
            version=model.version,
            source_tokens=len(request.source),
            target_tokens=target_tokens,
            timings=timings(finished),
        )
    )
