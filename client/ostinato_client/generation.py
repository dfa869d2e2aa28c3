"""Folding the messages of a generated stream into chunks and a summary."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from ostinato.v1 import generation_pb2
from ostinato_client.errors import ServerError
from ostinato_client.results import (
    Chunk,
    FinishReason,
    GenerationSummary,
    StreamTimings,
    TokenAlternative,
    TokenDetail,
)

_FINISH_REASONS: Mapping[int, FinishReason] = MappingProxyType(
    {
        generation_pb2.FINISH_REASON_LENGTH: FinishReason.LENGTH,
        generation_pb2.FINISH_REASON_STOP: FinishReason.STOP,
        generation_pb2.FINISH_REASON_END_OF_SEQUENCE: FinishReason.END_OF_SEQUENCE,
    }
)


TextResponse: TypeAlias = generation_pb2.GenerateResponse | generation_pb2.GenerateSessionResponse


class TextFold:
    """Collects one generated text: a stream's, or that of a session's turn."""

    __slots__ = ("_summary", "_texts", "_token_ids")

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._token_ids = array("I")
        self._summary: generation_pb2.GenerationSummary | None = None

    @property
    def position(self) -> int:
        """Tokens received."""
        return len(self._token_ids)

    def feed(self, response: TextResponse) -> tuple[Chunk, ...]:
        """Takes the next message; gives the chunk in it, if it holds one."""
        match response.WhichOneof("payload"):
            case "chunk":
                self._texts.append(response.chunk.text)
                self._token_ids.extend(response.chunk.token_ids)
                return (chunk_from(response.chunk),)
            case "summary":
                self._summary = response.summary
                return ()
            case _:  # a payload that a newer server may send
                return ()

    def finish(self) -> GenerationSummary:
        """The summary.

        Raises:
            ServerError: The stream ended without one.
        """
        summary = self._summary
        if summary is None:
            raise ServerError("the stream ended without a summary", code="DATA_LOSS")
        return GenerationSummary(
            text="".join(self._texts),
            finish_reason=finish_reason_from(summary.finish_reason),
            model=summary.model,
            version=summary.version,
            seed=summary.seed,
            prompt_tokens=summary.prompt_tokens,
            generated_tokens=summary.generated_tokens,
            unknown_tokens=summary.unknown_tokens,
            timings=timings_from(summary.timings),
            withheld_text=summary.withheld_text,
        )


class GenerationFold(TextFold):
    """Collects one stream, over as many calls as it takes."""

    __slots__ = ("_origin", "_request")

    def __init__(self, request: generation_pb2.GenerateRequest) -> None:
        super().__init__()
        self._request = request
        self._origin: generation_pb2.StreamOrigin | None = None

    @property
    def resumable(self) -> bool:
        """Whether the server has sent what it takes to continue."""
        return self._origin is not None

    def request(self) -> generation_pb2.GenerateRequest:
        """The request that continues after what has come."""
        if self._origin is None:
            return self._request
        request = generation_pb2.GenerateRequest()
        request.CopyFrom(self._request)
        request.version, request.sampling.seed = self._origin.version, self._origin.seed
        request.resumption.token_ids.extend(self._token_ids)
        return request

    def feed(self, response: TextResponse) -> tuple[Chunk, ...]:
        """Takes the next message; gives the chunk in it, if it holds one."""
        if response.chunk.HasField("origin"):
            self._origin = response.chunk.origin
        return super().feed(response)


def chunk_from(message: generation_pb2.GeneratedChunk) -> Chunk:
    """The value that stands for a message."""
    return Chunk(
        text=message.text,
        position=message.position,
        token_count=message.token_count,
        tokens=tuple(
            TokenDetail(
                text=token.text,
                token_id=token.token_id,
                logprob=token.logprob,
                alternatives=tuple(
                    TokenAlternative(each.text, each.token_id, each.logprob) for each in token.alternatives
                ),
            )
            for token in message.tokens
        ),
    )


def finish_reason_from(value: int) -> FinishReason:
    """The reason that stands for an enum value; one that a newer server may send reads as unspecified."""
    return _FINISH_REASONS.get(value, FinishReason.UNSPECIFIED)


def timings_from(message: generation_pb2.StreamTimings) -> StreamTimings:
    """The value that stands for a message."""
    return StreamTimings(message.queue_seconds, message.time_to_first_token_seconds, message.total_seconds)
