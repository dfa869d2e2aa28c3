"""How each kind of server is asked: characters of a stream as they come, the score of a text."""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import grpc

from ostinato.v1 import (
    generation_pb2,
    generation_pb2_grpc,
    sentiment_pb2,
    sentiment_pb2_grpc,
    translation_pb2,
    translation_pb2_grpc,
)
from ostinato_bench.peers.http import Pool
from ostinato_client.channels import proxy_options

PROMPT = "ROMEO:"
TEMPERATURE = 0.8
TIMEOUT_SECONDS = 120.0


class Caller(Protocol):
    """A client of one server."""

    def generate(self, seed: int, characters: int) -> AsyncGenerator[str]:
        """Yields what each message with output brought."""

    async def classify(self, texts: list[str]) -> list[float]:
        """Probabilities that the texts are positive, in one call."""

    async def close(self) -> None:
        """Lets go of the connections."""


class OstinatoCaller:
    """Ostinato's contract: Ostinato itself, and Ray Serve, whose deployment speaks it too.

    Retries are off, since they would hide rejections.
    """

    def __init__(self, target: str) -> None:
        self._channel = grpc.aio.insecure_channel(target, options=[("grpc.enable_retries", 0), *proxy_options(target)])
        self._generation: Any = generation_pb2_grpc.GenerationServiceStub(self._channel)
        self._sentiment: Any = sentiment_pb2_grpc.SentimentServiceStub(self._channel)
        self._translation: Any = translation_pb2_grpc.TranslationServiceStub(self._channel)

    async def generate(self, seed: int, characters: int) -> AsyncGenerator[str]:
        """Yields what each message with output brought."""
        request = generation_pb2.GenerateRequest(
            model="char-lm",
            prompt=PROMPT,
            sampling=generation_pb2.SamplingParameters(temperature=TEMPERATURE, seed=seed),
            stopping=generation_pb2.StoppingParameters(max_tokens=characters),
        )
        async for response in self._generation.Generate(request, timeout=TIMEOUT_SECONDS):
            if response.HasField("chunk"):
                yield response.chunk.text

    async def classify(self, texts: list[str]) -> list[float]:
        """Probabilities that the texts are positive: a unary call for one, a batch call for several."""
        if len(texts) == 1:
            single = sentiment_pb2.ClassifyRequest(model="sentiment", text=texts[0])
            return [(await self._sentiment.Classify(single, timeout=TIMEOUT_SECONDS)).score.positive_probability]
        several = sentiment_pb2.ClassifyBatchRequest(model="sentiment", texts=texts)
        response = await self._sentiment.ClassifyBatch(several, timeout=TIMEOUT_SECONDS)
        return [score.positive_probability for score in response.scores]

    async def translate(self, text: str) -> AsyncGenerator[int]:
        """Yields the count of target tokens in each message, greedily chosen."""
        request = translation_pb2.TranslateRequest(model="translation-en-fr", text=text, beam_size=1)
        async for response in self._translation.Translate(request, timeout=TIMEOUT_SECONDS):
            if response.HasField("chunk"):
                yield len(response.chunk.tokens)

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()


class OpenInferenceCaller:
    """The Open Inference Protocol over gRPC: Triton and MLServer.

    Args:
        target: The server.
        wrapped: Whether a streamed response lies in another message, as Triton's do.
        text_shape: Shape of a tensor with one text to classify.
    """

    def __init__(self, target: str, *, wrapped: bool, text_shape: list[int]) -> None:
        from tritonclient.grpc import service_pb2 as messages  # its descriptors would clash with those of others

        self._messages = messages
        self._wrapped = wrapped
        self._text_shape = text_shape
        self._channel = grpc.aio.insecure_channel(target, options=[("grpc.enable_retries", 0), *proxy_options(target)])
        service = "/inference.GRPCInferenceService/"
        self._stream = self._channel.stream_stream(
            service + "ModelStreamInfer",
            request_serializer=messages.ModelInferRequest.SerializeToString,
            response_deserializer=(
                messages.ModelStreamInferResponse if wrapped else messages.ModelInferResponse
            ).FromString,
        )
        self._unary = self._channel.unary_unary(
            service + "ModelInfer",
            request_serializer=messages.ModelInferRequest.SerializeToString,
            response_deserializer=messages.ModelInferResponse.FromString,
        )

    def _request(self, model: str, tensor: str, text: str, shape: list[int]) -> Any:
        request = self._messages.ModelInferRequest(model_name=model)
        request.inputs.add(name=tensor, datatype="BYTES", shape=shape)
        content = text.encode()
        request.raw_input_contents.append(struct.pack("<I", len(content)) + content)
        return request

    async def generate(self, seed: int, characters: int) -> AsyncGenerator[str]:
        """Yields what each message with output brought."""
        call = self._stream(timeout=TIMEOUT_SECONDS)
        await call.write(self._request("generator", "request", generation_body(seed, characters).decode(), [1]))
        await call.done_writing()
        async for response in call:
            if self._wrapped:
                if response.error_message:
                    raise ConnectionError(response.error_message)
                response = response.infer_response
            if response.raw_output_contents:
                yield response.raw_output_contents[0][4:].decode()
            elif response.outputs:
                yield response.outputs[0].contents.bytes_contents[0].decode()

    async def classify(self, texts: list[str]) -> list[float]:
        """Probability that a text is positive."""
        (text,) = texts
        response = await self._unary(
            self._request("sentiment", "text", text, self._text_shape), timeout=TIMEOUT_SECONDS
        )
        if response.raw_output_contents:
            return list(struct.unpack("<f", response.raw_output_contents[0]))
        return list(response.outputs[0].contents.fp32_contents)

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()


@dataclass(frozen=True, slots=True)
class HttpForm:
    """How an HTTP peer wants to be asked.

    Attributes:
        generate: Path for a stream.
        classify: Path for a text.
        body: Makes the body that holds a text.
        score: Reads the answer to it.
    """

    generate: str
    classify: str
    body: Callable[[str], bytes]
    score: Callable[[Any], float]


class HttpCaller:
    """Streams as HTTP chunks: LitServe, BentoML, TorchServe."""

    def __init__(self, target: str, form: HttpForm) -> None:
        host, _, port = target.rpartition(":")
        self._pool = Pool(host, int(port))
        self._form = form

    async def generate(self, seed: int, characters: int) -> AsyncGenerator[str]:
        """Yields what each chunk brought."""
        async for chunk in self._pool.post(self._form.generate, generation_body(seed, characters)):
            yield chunk.decode()

    async def classify(self, texts: list[str]) -> list[float]:
        """Probability that a text is positive."""
        (text,) = texts
        answer = b"".join([piece async for piece in self._pool.post(self._form.classify, self._form.body(text))])
        return [self._form.score(json.loads(answer))]

    async def close(self) -> None:
        """Closes the connections."""
        self._pool.close()


def generation_body(seed: int, characters: int) -> bytes:
    """A request for a stream, as the peers' common code reads it."""
    return json.dumps({"prompt": PROMPT, "characters": characters, "temperature": TEMPERATURE, "seed": seed}).encode()


def _text_body(text: str) -> bytes:
    return json.dumps({"text": text}).encode()


CALLERS: Mapping[str, Callable[[str], Caller]] = {
    "ostinato": OstinatoCaller,
    "ray": OstinatoCaller,
    "triton": lambda target: OpenInferenceCaller(target, wrapped=True, text_shape=[1, 1]),
    "mlserver": lambda target: OpenInferenceCaller(target, wrapped=False, text_shape=[1]),
    "litserve": lambda target: HttpCaller(
        target, HttpForm("/generate", "/sentiment", _text_body, lambda answer: float(answer["positive"]))
    ),
    "bentoml": lambda target: HttpCaller(
        target,
        HttpForm(
            "/generate",
            "/sentiment",
            lambda text: json.dumps({"texts": [text]}).encode(),
            lambda answer: float(answer[0]),
        ),
    ),
    "torchserve": lambda target: HttpCaller(
        target, HttpForm("/predictions/generator", "/predictions/sentiment", _text_body, float)
    ),
}
"""A client for each kind of server, given its target."""
