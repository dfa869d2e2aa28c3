"""What clients ask for: requests whose answers are the same every time, and how an answer is put together."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import grpc
from tests.fuzz.rpcs import Rpc, all_rpcs

from ostinato.v1 import generation_pb2, sentiment_pb2, translation_pb2

TURN = "\N{SYMBOL FOR RECORD SEPARATOR}"
"""Ends each turn of a session in its text."""

PROMPTS = ("ROMEO:", "The cat", "To be, or", "Once more unto the breach", "What")
TEXTS = ("A warm, funny film.", "A dull and lifeless mess.", "The story is not good.", "One of the best of the year.")
SENTENCES = ("I love you.", "Where is the station?", "She does not speak French.", "We are going to the market today.")

_RPCS: Mapping[str, Rpc] = MappingProxyType({rpc.name: rpc for rpc in all_rpcs()})


@dataclass(frozen=True, slots=True)
class Work:
    """A request, or those of a session.

    Attributes:
        name: Tells it from the others.
        rpc: Name of the call.
        model: Name of the model.
        requests: Its messages.
    """

    name: str
    rpc: str
    model: str
    requests: tuple[Any, ...]

    def of_version(self, version: int) -> Work:
        """The same, asked of one version."""
        first = type(self.requests[0])()
        first.CopyFrom(self.requests[0])
        (first.start if self.rpc == "GenerateSession" else first).version = version
        return Work(self.name, self.rpc, self.model, (first, *self.requests[1:]))


@dataclass(slots=True)
class Answer:
    """An answer as far as it has come.

    Attributes:
        text: What was generated, translated or scored.
        version: Version of the model; 0 while that is not known.
        complete: Whether the answer has ended as it should.
    """

    text: str = ""
    version: int = 0
    complete: bool = False

    def add(self, response: Any) -> None:
        """Takes in a message."""
        match response:
            case generation_pb2.GenerateResponse() | generation_pb2.GenerateSessionResponse():
                if response.WhichOneof("payload") == "chunk":
                    self.text += response.chunk.text
                else:
                    self.text += TURN
                    self.version, self.complete = response.summary.version, True
            case sentiment_pb2.ClassifyResponse(score=score):
                self.text = f"{score.positive_probability!r} {score.token_count}"
                self.version, self.complete = score.version, True
            case translation_pb2.TranslateResponse():
                if response.WhichOneof("payload") == "chunk":
                    self.text += "".join(f"{each.token}{each.logprob!r} " for each in response.chunk.tokens)
                elif response.WhichOneof("payload") == "summary":
                    self.text += response.summary.text
                    self.version, self.complete = response.summary.version, True


async def responses(work: Work, channel: grpc.aio.Channel, seconds: float) -> AsyncGenerator[Any]:
    """Makes the call; cancels it when it is not read to its end."""
    rpc = _RPCS[work.rpc]
    kinds: dict[tuple[bool, bool], Any] = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, True): channel.stream_stream,
    }
    begin = kinds[rpc.client_streams, rpc.server_streams](
        rpc.path, request_serializer=rpc.request.SerializeToString, response_deserializer=rpc.response.FromString
    )
    call = begin(iter(work.requests) if rpc.client_streams else work.requests[0], timeout=seconds)
    try:
        if rpc.server_streams:
            async for response in call:
                yield response
        else:
            yield await call
    finally:
        call.cancel()


def all_work(characters: int) -> list[Work]:
    """What is asked for: two thirds generation, up to so many characters."""
    work = [
        Work(
            f"generate {seed}",
            "Generate",
            "char-lm",
            (_generate(PROMPTS[seed % len(PROMPTS)], seed, characters * (seed % 4 + 1) // 4),),
        )
        for seed in range(16)
    ]
    work += [
        Work(f"session {seed}", "GenerateSession", "char-lm", _session(seed, characters // 4)) for seed in range(2)
    ]
    work += [
        Work(text, "Classify", "sentiment", (sentiment_pb2.ClassifyRequest(model="sentiment", text=text),))
        for text in TEXTS
    ]
    work += [
        Work(
            f"{text} {beams}",
            "Translate",
            "translation-en-fr",
            (
                translation_pb2.TranslateRequest(
                    model="translation-en-fr", text=text, beam_size=beams, include_attention=True
                ),
            ),
        )
        for text, beams in zip(SENTENCES, (1, 4, 1, 2), strict=True)
    ]
    return work


def _generate(prompt: str, seed: int, characters: int) -> generation_pb2.GenerateRequest:
    return generation_pb2.GenerateRequest(
        model="char-lm", prompt=prompt, sampling=_sampling(seed), stopping=_stopping(characters)
    )


def _session(seed: int, characters: int) -> tuple[generation_pb2.GenerateSessionRequest, ...]:
    turns = [
        generation_pb2.SessionTurn(text=text, sampling=_sampling(seed + turn), stopping=_stopping(characters))
        for turn, text in enumerate(("ROMEO:", "", " JULIET:"))
    ]
    start = generation_pb2.SessionStart(model="char-lm")
    return (
        generation_pb2.GenerateSessionRequest(start=start),
        *(generation_pb2.GenerateSessionRequest(turn=turn) for turn in turns),
    )


def _sampling(seed: int) -> generation_pb2.SamplingParameters:
    return generation_pb2.SamplingParameters(temperature=0.8, seed=seed)


def _stopping(characters: int) -> generation_pb2.StoppingParameters:
    return generation_pb2.StoppingParameters(max_tokens=max(1, characters))
