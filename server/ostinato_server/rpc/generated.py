"""What was generated, as messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from ostinato.v1 import generation_pb2
from ostinato_server.engine.request import Finished, FinishReason, GeneratedToken, GenerationRequest
from ostinato_server.engine.stream import TokenStream
from ostinato_server.repository.codec import TextCodec
from ostinato_server.repository.model import LoadedModel
from ostinato_server.rpc.call import Call

FINISH_REASONS = {
    FinishReason.LENGTH: generation_pb2.FINISH_REASON_LENGTH,
    FinishReason.STOP: generation_pb2.FINISH_REASON_STOP,
    FinishReason.END_OF_SEQUENCE: generation_pb2.FINISH_REASON_END_OF_SEQUENCE,
}


async def chunks(
    stream: TokenStream, request: GenerationRequest, model: LoadedModel, call: Call, *, details: bool
) -> AsyncIterator[generation_pb2.GeneratedChunk]:
    """What a stream gives, each time all that has arrived.

    Args:
        stream: The stream.
        request: What was asked.
        model: The model that runs.
        call: Told what is sent.
        details: Whether to send each token with what the model thought of it.
    """
    position = len(request.resumed)
    origin: generation_pb2.StreamOrigin | None = generation_pb2.StreamOrigin(
        version=model.version, seed=request.sampling.seed
    )
    while tokens := await stream.read():
        call.sent(len(tokens))
        yield chunk(tokens, position, model.codec if details else None, origin)
        position += len(tokens)
        origin = None


def chunk(
    tokens: Sequence[GeneratedToken],
    position: int,
    codec: TextCodec | None,
    origin: generation_pb2.StreamOrigin | None = None,
) -> generation_pb2.GeneratedChunk:
    """Some tokens.

    Args:
        tokens: The tokens, at least one.
        position: Place of the first one in the stream.
        codec: Tells the texts of alternatives; none to leave the details out.
        origin: What fixes the stream's text; with its first message.
    """
    return generation_pb2.GeneratedChunk(
        text="".join([token.text for token in tokens]),
        position=position,
        token_count=len(tokens),
        token_ids=[token.token_id for token in tokens],
        tokens=[] if codec is None else [_detail(token, codec) for token in tokens],
        origin=origin,
    )


def _detail(token: GeneratedToken, codec: TextCodec) -> generation_pb2.TokenDetail:
    alternatives = [
        generation_pb2.TokenAlternative(
            text=codec.added_text(other.token_id), token_id=other.token_id, logprob=other.logprob
        )
        for other in token.alternatives
    ]
    return generation_pb2.TokenDetail(
        text=token.text, token_id=token.token_id, logprob=token.logprob, alternatives=alternatives
    )


def summary(finished: Finished, request: GenerationRequest, model: LoadedModel) -> generation_pb2.GenerationSummary:
    """How a stream ended."""
    return generation_pb2.GenerationSummary(
        finish_reason=FINISH_REASONS[finished.reason],
        model=model.name,
        version=model.version,
        seed=request.sampling.seed,
        prompt_tokens=len(request.prompt),
        generated_tokens=finished.generated_tokens,
        unknown_tokens=model.codec.unknown(list(request.prompt)),
        timings=timings(finished),
        withheld_text=finished.withheld,
        withheld_token_ids=finished.withheld_tokens,
    )


def timings(finished: Finished) -> generation_pb2.StreamTimings:
    """Where the time of a stream went."""
    return generation_pb2.StreamTimings(
        queue_seconds=finished.queue_seconds,
        time_to_first_token_seconds=finished.first_token_seconds,
        total_seconds=finished.total_seconds,
    )
