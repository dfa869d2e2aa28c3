"""What is asked of the server: requests on raw stubs, read with as little work per message as can be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc

from ostinato.v1 import (
    generation_pb2,
    generation_pb2_grpc,
    sentiment_pb2,
    sentiment_pb2_grpc,
    translation_pb2,
    translation_pb2_grpc,
)

Call = Callable[[int], AsyncIterator[int]]
"""Makes the request of a number, and gives the count of tokens in each message with output."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind of request.

    Attributes:
        task: Its name.
        unit: What its tokens are.
        prepare: Makes the call, given a channel.
    """

    task: str
    unit: str
    prepare: Callable[[grpc.aio.Channel], Call]


def generation(*, prompt: str, model: str, max_chars: int, temperature: float, timeout: float) -> Workload:
    """Streams of characters; the request's number is its seed."""

    def prepare(channel: grpc.aio.Channel) -> Call:
        stub: Any = generation_pb2_grpc.GenerationServiceStub(channel)

        async def call(number: int) -> AsyncIterator[int]:
            request = generation_pb2.GenerateRequest(
                model=model,
                prompt=prompt,
                sampling=generation_pb2.SamplingParameters(temperature=temperature, seed=number),
                stopping=generation_pb2.StoppingParameters(max_tokens=max_chars),
            )
            async for response in stub.Generate(request, timeout=timeout):
                if response.HasField("chunk"):
                    yield response.chunk.token_count

        return call

    return Workload("generate", "characters", prepare)


def sentiment(*, texts: tuple[str, ...], model: str, batch: int, timeout: float) -> Workload:
    """Batches of texts, taken in turn."""

    def prepare(channel: grpc.aio.Channel) -> Call:
        stub: Any = sentiment_pb2_grpc.SentimentServiceStub(channel)

        async def call(number: int) -> AsyncIterator[int]:
            chosen = [texts[(number * batch + offset) % len(texts)] for offset in range(batch)]
            request = sentiment_pb2.ClassifyBatchRequest(model=model, texts=chosen)
            response = await stub.ClassifyBatch(request, timeout=timeout)
            yield len(response.scores)

        return call

    return Workload("sentiment", "texts", prepare)


def translation(*, sentences: tuple[str, ...], model: str, beam_size: int, attention: bool, timeout: float) -> Workload:
    """Sentences, taken in turn."""

    def prepare(channel: grpc.aio.Channel) -> Call:
        stub: Any = translation_pb2_grpc.TranslationServiceStub(channel)

        async def call(number: int) -> AsyncIterator[int]:
            request = translation_pb2.TranslateRequest(
                model=model,
                text=sentences[number % len(sentences)],
                beam_size=beam_size,
                include_attention=attention,
            )
            async for response in stub.Translate(request, timeout=timeout):
                if response.HasField("chunk"):
                    yield len(response.chunk.tokens)

        return call

    return Workload("translate", "target tokens", prepare)
