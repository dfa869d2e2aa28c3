"""GenerationService: streams text."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from ostinato.v1 import generation_pb2, generation_pb2_grpc
from ostinato_server.engine.request import (
    Finished,
    FinishReason,
    GeneratedToken,
    GenerationRequest,
    SamplingParameters,
    Standing,
)
from ostinato_server.engine.sequence import SampledSequence
from ostinato_server.errors import InvalidArgument
from ostinato_server.repository.codec import TextCodec
from ostinato_server.repository.model import DecodeModel, LoadedModel
from ostinato_server.rpc import fields
from ostinato_server.rpc.desk import Desk
from ostinato_server.rpc.standing import read_standing

if TYPE_CHECKING:
    from ostinato.v1.generation_pb2_grpc import _ServicerContext

MAX_TEMPERATURE = 100.0
MAX_TOP_K = 1_000_000
MAX_STOP_TEXTS = 16
MAX_STOP_CHARACTERS = 256

FINISH_REASONS = {
    FinishReason.LENGTH: generation_pb2.FINISH_REASON_LENGTH,
    FinishReason.STOP: generation_pb2.FINISH_REASON_STOP,
    FinishReason.END_OF_SEQUENCE: generation_pb2.FINISH_REASON_END_OF_SEQUENCE,
}


class GenerationService(generation_pb2_grpc.GenerationServiceServicer):
    """Streams text from the generation models.

    Args:
        desk: Where requests find their model.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def Generate(  # noqa: N802 (the contract's name)
        self, request: generation_pb2.GenerateRequest, context: _ServicerContext
    ) -> AsyncIterator[generation_pb2.GenerateResponse]:
        """Continues a prompt."""
        version = request.version if request.HasField("version") else None
        model = self._desk.find(DecodeModel, "generation", request.model, version)
        with self._desk.count(model) as call:
            deadline = fields.deadline(context, self._desk.clock(), self._desk.max_deadline_seconds)
            standing = read_standing(request.priority, context, call.caller)
            model.client.admission.check(priority=standing.priority, deadline=deadline)
            asked = read_request(request, model, deadline, standing)
            call.read(len(asked.prompt))
            details = request.include_logprobs or asked.top_alternatives > 0
            position = len(asked.resumed)
            if position == asked.max_tokens:  # it broke before its summary came
                finished = Finished(FinishReason.LENGTH, position, 0.0, 0.0, 0.0, 0.0)
                yield summary(finished, asked, model.codec.unknown(list(asked.prompt)), model)
                return
            opened = model.client.open(
                lambda stream_id, arrival: SampledSequence(
                    stream_id, asked, arrival, model.codec.detokenizer(), model.manifest.tokenizer.end_id
                )
            )
            async with opened as stream:
                origin: generation_pb2.StreamOrigin | None = generation_pb2.StreamOrigin(
                    version=model.version, seed=asked.sampling.seed
                )
                while tokens := await stream.read():
                    call.sent(len(tokens))
                    yield chunk(tokens, position, model.codec if details else None, origin)
                    position += len(tokens)
                    origin = None
                if stream.finished is not None:
                    call.finished(stream.finished)
                    unknown = model.codec.unknown(list(asked.prompt))
                    yield summary(stream.finished, asked, unknown, model)


def read_request(
    request: generation_pb2.GenerateRequest, model: LoadedModel, deadline: float, standing: Standing
) -> GenerationRequest:
    """The request in the engine's terms.

    Raises:
        InvalidArgument: A field is out of its limits.
    """
    limits = model.limits
    stopping = request.stopping
    max_tokens = stopping.max_tokens if stopping.HasField("max_tokens") else limits.max_new_tokens
    fields.number("stopping.max_tokens", max_tokens, 1, limits.max_new_tokens)
    fields.number("top_alternatives", request.top_alternatives, 0, limits.max_alternatives)
    return GenerationRequest(
        prompt=tuple(fields.text_tokens("prompt", request.prompt, model)),
        resumed=_resumed(request, model, max_tokens) if request.HasField("resumption") else (),
        sampling=_sampling(request.sampling),
        max_tokens=max_tokens,
        stop=_stop(stopping.stop),
        top_alternatives=request.top_alternatives,
        deadline=deadline,
        standing=standing,
    )


def _resumed(request: generation_pb2.GenerateRequest, model: LoadedModel, max_tokens: int) -> tuple[int, ...]:
    """The tokens that a broken stream had brought.

    A text that the model did not write is no error: there is no telling.
    """
    for name, given in (("version", request.HasField("version")), ("sampling.seed", request.sampling.HasField("seed"))):
        if not given:
            raise InvalidArgument(name, "must be given to take up a stream; its first chunk told it")
    resumption = request.resumption
    fields.number("resumption.position", resumption.position, 0, max_tokens)
    if len(resumption.text) > model.codec.longest_piece * max_tokens:
        raise InvalidArgument("resumption.text", f"must be what at most {max_tokens} tokens can spell")
    fields.readable("resumption.text", resumption.text, model)
    tokens = tuple(model.codec.encode(resumption.text))
    if len(tokens) != resumption.position:
        raise InvalidArgument(
            "resumption.position", f"must be the number of tokens in the text, {len(tokens)}, not {resumption.position}"
        )
    if model.codec.unknown(list(tokens)):
        raise InvalidArgument("resumption.text", f"has characters that model {model.name} does not generate")
    return tokens


def _sampling(given: generation_pb2.SamplingParameters) -> SamplingParameters:
    temperature = given.temperature if given.HasField("temperature") else 1.0
    top_p = given.top_p if given.HasField("top_p") else 1.0
    fields.number("sampling.temperature", temperature, 0, MAX_TEMPERATURE)
    if not 0 < top_p <= 1:
        raise InvalidArgument("sampling.top_p", f"must be above 0 and at most 1, not {fields.plain(top_p)}")
    fields.number("sampling.top_k", given.top_k, 0, MAX_TOP_K)
    seed = given.seed if given.HasField("seed") else secrets.randbits(64)
    return SamplingParameters(temperature, given.top_k, top_p, seed)


def _stop(texts: Sequence[str]) -> tuple[str, ...]:
    if len(texts) > MAX_STOP_TEXTS:
        raise InvalidArgument("stopping.stop", f"must have at most {MAX_STOP_TEXTS} texts, not {len(texts)}")
    for index, text in enumerate(texts):
        fields.number(f"stopping.stop[{index}] length", len(text), 1, MAX_STOP_CHARACTERS)
    return tuple(texts)


def chunk(
    tokens: Sequence[GeneratedToken],
    position: int,
    codec: TextCodec | None,
    origin: generation_pb2.StreamOrigin | None = None,
) -> generation_pb2.GenerateResponse:
    """A message with some tokens.

    Args:
        tokens: The tokens, at least one.
        position: Place of the first one in the stream.
        codec: Tells the texts of alternatives; none to leave the details out.
        origin: What fixes the stream's text; with its first message.
    """
    return generation_pb2.GenerateResponse(
        chunk=generation_pb2.GeneratedChunk(
            text="".join([token.text for token in tokens]),
            position=position,
            token_count=len(tokens),
            tokens=[] if codec is None else [_detail(token, codec) for token in tokens],
            origin=origin,
        )
    )


def _detail(token: GeneratedToken, codec: TextCodec) -> generation_pb2.TokenDetail:
    alternatives = [
        generation_pb2.TokenAlternative(
            text=codec.piece(other.token_id), token_id=other.token_id, logprob=other.logprob
        )
        for other in token.alternatives
    ]
    return generation_pb2.TokenDetail(
        text=token.text, token_id=token.token_id, logprob=token.logprob, alternatives=alternatives
    )


def summary(
    finished: Finished, request: GenerationRequest, unknown_tokens: int, model: LoadedModel
) -> generation_pb2.GenerateResponse:
    """The last message of a stream."""
    return generation_pb2.GenerateResponse(
        summary=generation_pb2.GenerationSummary(
            finish_reason=FINISH_REASONS[finished.reason],
            model=model.name,
            version=model.version,
            seed=request.sampling.seed,
            prompt_tokens=len(request.prompt),
            generated_tokens=finished.generated_tokens,
            unknown_tokens=unknown_tokens,
            timings=timings(finished),
        )
    )


def timings(finished: Finished) -> generation_pb2.StreamTimings:
    """Where the time of a stream went."""
    return generation_pb2.StreamTimings(
        queue_seconds=finished.queue_seconds,
        time_to_first_token_seconds=finished.first_token_seconds,
        total_seconds=finished.total_seconds,
    )
