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


_MOST_PIECES = 1024
"""Pieces of a text that are held before they are joined: a string object takes some 50 bytes beside its characters."""

TextResponse: TypeAlias = generation_pb2.GenerateResponse | generation_pb2.GenerateSessionResponse


class TextFold:
    """Collects one generated text, over as many calls as it takes."""

    __slots__ = ("_origin", "_summary", "_texts", "_token_ids")

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._token_ids = array("I")
        self._origin: generation_pb2.StreamOrigin | None = None
        self._summary: generation_pb2.GenerationSummary | None = None

    @property
    def position(self) -> int:
        """Tokens received."""
        return len(self._token_ids)

    @property
    def resumable(self) -> bool:
        """Whether the server has sent what it takes to continue."""
        return self._origin is not None

    def feed(self, response: TextResponse) -> tuple[Chunk, ...]:
        """Takes the next message; gives the chunk in it, if it holds one."""
        match response.WhichOneof("payload"):
            case "chunk":
                if response.chunk.HasField("origin"):
                    self._origin = response.chunk.origin
                self._texts.append(response.chunk.text)
                if len(self._texts) > _MOST_PIECES:
                    self._texts = ["".join(self._texts)]
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
    """Collects what ``generate`` streams."""

    __slots__ = ("_request",)

    def __init__(self, request: generation_pb2.GenerateRequest) -> None:
        super().__init__()
        self._request = request

    def request(self) -> generation_pb2.GenerateRequest:
        """The request that continues after what has come."""
        if self._origin is None:
            return self._request
        request = generation_pb2.GenerateRequest()
        request.CopyFrom(self._request)
        request.version, request.sampling.seed = self._origin.version, self._origin.seed
        request.resumption.token_ids.extend(self._token_ids)
        return request


class TurnFold(TextFold):
    """Collects what a turn of a session streams.

    Args:
        turn: What was sent.
        before: Position of the session before it; 0 for the first turn.
    """

    __slots__ = ("_before", "_turn")

    def __init__(self, turn: generation_pb2.SessionTurn, before: int = 0) -> None:
        super().__init__()
        self._turn = turn
        self._before = before

    @property
    def position(self) -> int:
        """Grows with each token and each turn of the session."""
        return self._before + len(self._token_ids)

    @property
    def resumable(self) -> bool:
        """Whether the server has sent what it takes to continue; a turn that brought nothing is sent again."""
        return self._origin is not None or not self._token_ids

    @property
    def version(self) -> int | None:
        """Version of the model; None before something has come."""
        if self._summary is not None:
            return self._summary.version
        return None if self._origin is None else self._origin.version

    def turn(self) -> generation_pb2.SessionTurn:
        """The turn that continues after what has come."""
        if self._origin is None:
            return self._turn
        turn = generation_pb2.SessionTurn()
        turn.CopyFrom(self._turn)
        turn.sampling.seed = self._origin.seed
        turn.resumption.token_ids.extend(self._token_ids)
        return turn

    def past(self) -> generation_pb2.PastTurn:
        """The turn, which has ended, for a session that goes on after it."""
        withheld = () if self._summary is None else self._summary.withheld_token_ids
        return generation_pb2.PastTurn(text=self._turn.text, token_ids=[*self._token_ids, *withheld])


class ConversationRecord:
    """The turns of a session, for a call that goes on where an earlier one broke.

    Args:
        start: What holds for all turns.
    """

    def __init__(self, start: generation_pb2.SessionStart) -> None:
        self._start = generation_pb2.SessionStart()
        self._start.CopyFrom(start)
        self._fold: TurnFold | None = None

    def begin(self, turn: generation_pb2.SessionTurn) -> TurnFold:
        """Notes the next turn; the one before has ended."""
        before = 0
        if self._fold is not None:
            self._pin(self._fold)
            self._start.past.append(self._fold.past())
            before = self._fold.position + 1
        self._fold = TurnFold(turn, before)
        return self._fold

    def messages(self) -> list[generation_pb2.GenerateSessionRequest]:
        """What a call begins with to continue after all that has come."""
        if self._fold is None:
            return [generation_pb2.GenerateSessionRequest(start=self._start)]
        self._pin(self._fold)
        return [
            generation_pb2.GenerateSessionRequest(start=self._start),
            generation_pb2.GenerateSessionRequest(turn=self._fold.turn()),
        ]

    def _pin(self, fold: TurnFold) -> None:
        if fold.version is not None:
            self._start.version = fold.version


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
