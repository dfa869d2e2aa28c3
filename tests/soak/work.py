"""What clients ask for: requests whose answers are the same every time, and how an answer is put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import grpc
from tests.fuzz.rpcs import Rpc, all_rpcs

from ostinato.inference import grpc_service_pb2 as inference_pb2
from ostinato.v1 import generation_pb2, sentiment_pb2, translation_pb2

TURN = "\N{SYMBOL FOR RECORD SEPARATOR}"
"""Ends each turn of a session in its text."""

PROMPTS = ("ROMEO:", "The cat", "To be, or", "Once more unto the breach", "What")
TEXTS = ("A warm, funny film.", "A dull and lifeless mess.", "The story is not good.", "One of the best of the year.")
SIDE_BY_SIDE = 3
"""Requests of a stream of requests that are under way; the next is sent when one of them has been answered."""

SENTENCES = ("I love you.", "Where is the station?", "She does not speak French.", "We are going to the market today.")

_RPCS: Mapping[str, Rpc] = MappingProxyType({rpc.name: rpc for rpc in all_rpcs()})


@dataclass(frozen=True, slots=True)
class Work:
    """A request, those of a session, or a stream of requests.

    Attributes:
        name: Tells it from the others.
        rpc: Name of the call.
        model: Name of the model; empty for a stream of requests to several.
        requests: Its messages.
        parts: What the requests of a stream ask for, one by one; empty for all else.
    """

    name: str
    rpc: str
    model: str
    requests: tuple[Any, ...]
    parts: tuple[Work, ...] = ()

    @property
    def asked(self) -> tuple[Work, ...]:
        """What is answered."""
        return self.parts or (self,)

    def answered(self, response: Any) -> str:
        """The name of what a message answers."""
        return str(response.infer_response.id) if self.parts else self.name

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
        error: What a stream says of a request that it does not answer; empty otherwise.
    """

    text: str = ""
    version: int = 0
    complete: bool = False
    error: str = ""

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
                self.text += repr(score.positive_probability)
                self.version, self.complete = score.version, True
            case translation_pb2.TranslateResponse():
                if response.WhichOneof("payload") == "chunk":
                    self.text += "".join(f"{each.token}{each.logprob!r} " for each in response.chunk.tokens)
                elif response.WhichOneof("payload") == "summary":
                    self.text += response.summary.text
                    self.version, self.complete = response.summary.version, True
            case inference_pb2.ModelStreamInferResponse(error_message=message) if message:
                self.error = message
            case inference_pb2.ModelStreamInferResponse(infer_response=piece):
                tensors = {tensor.name: tensor.contents for tensor in piece.outputs}
                if "text" in tensors:
                    self.text += tensors["text"].bytes_contents[0].decode()
                if "finish_reason" in tensors:
                    self.text += TURN
                if "probabilities" in tensors:
                    self.text += repr(tensors["probabilities"].fp32_contents[1])
                if _is_final(response):
                    self.version, self.complete = int(piece.model_version), True


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
    places = asyncio.Semaphore(SIDE_BY_SIDE if work.parts else len(work.requests))

    async def sent() -> AsyncGenerator[Any]:
        for request in work.requests:
            await places.acquire()
            yield request

    call = begin(sent() if rpc.client_streams else work.requests[0], timeout=seconds)
    try:
        if rpc.server_streams:
            async for response in call:
                if work.parts and _is_final(response):
                    places.release()
                yield response
        else:
            yield await call
    finally:
        call.cancel()
        for _ in work.requests:  # whoever waits to send sees that the call has ended
            places.release()


def _is_final(response: inference_pb2.ModelStreamInferResponse) -> bool:
    return response.infer_response.parameters["triton_final_response"].bool_param


def all_work(characters: int) -> list[Work]:
    """What is asked for: two thirds generation, up to so many characters, some of it in streams of requests."""
    generations = [
        Work(
            f"generate {seed}",
            "Generate",
            "char-lm",
            (_generate(PROMPTS[seed % len(PROMPTS)], seed, characters * (seed % 4 + 1) // 4),),
        )
        for seed in range(16)
    ]
    sessions = [
        Work(f"session {seed}", "GenerateSession", "char-lm", _session(seed, characters // 4)) for seed in range(2)
    ]
    scorings = [
        Work(text, "Classify", "sentiment", (sentiment_pb2.ClassifyRequest(model="sentiment", text=text),))
        for text in TEXTS
    ]
    translations = [
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
    streams = [
        _side_by_side(f"stream {number}", (*generations[4 * number : 4 * number + 4], *scorings[number % 2 :: 2]))
        for number in range(4)
    ]
    return [*generations, *sessions, *scorings, *translations, *streams]


def _side_by_side(name: str, parts: tuple[Work, ...]) -> Work:
    """The same requests, in tensors and in one stream."""
    return Work(name, "ModelStreamInfer", "", tuple(map(_in_tensors, parts)), parts)


def _in_tensors(work: Work) -> inference_pb2.ModelInferRequest:
    request = work.requests[0]
    if work.rpc == "Classify":
        return tensor_request(work.name, work.model, "text", request.text)
    made = tensor_request(work.name, work.model, "prompt", request.prompt)
    made.parameters["temperature"].double_param = request.sampling.temperature
    made.parameters["seed"].int64_param = request.sampling.seed
    made.parameters["max_tokens"].int64_param = request.stopping.max_tokens
    return made


def tensor_request(name: str, model: str, tensor: str, text: str) -> inference_pb2.ModelInferRequest:
    """Asks a model for something by one tensor."""
    made = inference_pb2.ModelInferRequest(model_name=model, id=name)
    made.inputs.add(name=tensor, datatype="BYTES", shape=[1]).contents.bytes_contents.append(text.encode())
    return made


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
