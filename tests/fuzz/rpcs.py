"""The calls that the server answers, found in the contracts, with valid conversations to begin from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from ostinato.inference import grpc_service_pb2 as inference
from ostinato.v1 import generation_pb2, models_pb2, sentiment_pb2, translation_pb2

CONTRACTS = (
    generation_pb2.DESCRIPTOR,
    sentiment_pb2.DESCRIPTOR,
    translation_pb2.DESCRIPTOR,
    models_pb2.DESCRIPTOR,
    inference.DESCRIPTOR,
    health_pb2.DESCRIPTOR,
    reflection_pb2.DESCRIPTOR,
)

CHANGING = frozenset({"LoadModel", "UnloadModel", "RepositoryModelLoad", "RepositoryModelUnload"})
"""Calls that change what is served."""


@dataclass(frozen=True, slots=True)
class Rpc:
    """A call.

    Attributes:
        service: Full name of its service.
        name: Its name there.
        request: Class of its request messages.
        response: Class of its response messages.
        client_streams: Whether it takes several requests.
        server_streams: Whether it gives several responses.
        conversations: What a client that means well may send; at least one.
    """

    service: str
    name: str
    request: type[Message]
    response: type[Message]
    client_streams: bool
    server_streams: bool
    conversations: tuple[tuple[Message, ...], ...]

    @property
    def path(self) -> str:
        """What it is called by on the wire."""
        return f"/{self.service}/{self.name}"


def message_class(descriptor: Any) -> type[Message]:
    """The class of a message; descriptors are of one kind in Python and of another in C, and the stubs mix them."""
    return GetMessageClass(descriptor)


def all_rpcs() -> tuple[Rpc, ...]:
    """Every call of every contract; one that is added there is among them."""
    return tuple(
        Rpc(
            service=service.full_name,
            name=method.name,
            request=(request := message_class(method.input_type)),
            response=message_class(method.output_type),
            client_streams=method.client_streaming,
            server_streams=method.server_streaming,
            conversations=_CONVERSATIONS.get(method.name, ((request(),),)),
        )
        for contract in CONTRACTS
        for service in contract.services_by_name.values()
        for method in service.methods
    )


_SAMPLING = generation_pb2.SamplingParameters(temperature=0.8, top_k=5, top_p=0.9, seed=1)
_STOPPING = generation_pb2.StoppingParameters(max_tokens=5, stop=["xyz"])
_GENERATE = generation_pb2.GenerateRequest(
    model="char-lm", version=1, prompt="The cat", sampling=_SAMPLING, stopping=_STOPPING, top_alternatives=2
)
_RESUME = generation_pb2.GenerateRequest(
    model="char-lm",
    version=1,
    prompt="The cat",
    sampling=_SAMPLING,
    stopping=_STOPPING,
    resumption=generation_pb2.Resumption(token_ids=[5, 6, 7]),
    priority=generation_pb2.PRIORITY_HIGH,
)
_SESSION = (
    generation_pb2.GenerateSessionRequest(start=generation_pb2.SessionStart(model="char-lm", top_alternatives=1)),
    *(
        generation_pb2.GenerateSessionRequest(
            turn=generation_pb2.SessionTurn(text=text, sampling=_SAMPLING, stopping=_STOPPING)
        )
        for text in ("Once upon a time", "", " and then")
    ),
)
_TYPED = (
    sentiment_pb2.ClassifyIncrementalRequest(model="sentiment", appended_text="a go"),
    sentiment_pb2.ClassifyIncrementalRequest(appended_text="od film"),
    sentiment_pb2.ClassifyIncrementalRequest(deleted_characters=4, appended_text="book"),
)


def _text(name: str, *texts: str) -> inference.ModelInferRequest.InferInputTensor:
    return inference.ModelInferRequest.InferInputTensor(
        name=name,
        datatype="BYTES",
        shape=[len(texts)],
        contents=inference.InferTensorContents(bytes_contents=[text.encode() for text in texts]),
    )


def _raw(text: str) -> bytes:
    return len(text.encode()).to_bytes(4, "little") + text.encode()


_INPUT = inference.ModelInferRequest.InferInputTensor
_TYPED_GENERATION = inference.ModelInferRequest(
    model_name="char-lm",
    id="1",
    inputs=[
        _text("prompt", "The cat"),
        _INPUT(
            name="max_tokens", datatype="INT32", shape=[1], contents=inference.InferTensorContents(int_contents=[5])
        ),
        _INPUT(
            name="temperature", datatype="FP32", shape=[1], contents=inference.InferTensorContents(fp32_contents=[0.5])
        ),
    ],
    outputs=[
        inference.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in ("text", "tokens", "logprobs")
    ],
)
_RAW_GENERATION = inference.ModelInferRequest(
    model_name="char-lm",
    model_version="1",
    inputs=[
        _INPUT(name="prompt", datatype="BYTES", shape=[1]),
        _INPUT(name="max_tokens", datatype="INT32", shape=[1]),
        _INPUT(name="seed", datatype="UINT64", shape=[1]),
    ],
    raw_input_contents=[_raw("The cat"), np.int32(5).tobytes(), np.uint64(7).tobytes()],
)
_SCORING = inference.ModelInferRequest(model_name="sentiment", inputs=[_text("text", "a good film", "a bad one")])
_TRANSLATION = inference.ModelInferRequest(
    model_name="translation-en-fr",
    parameters={
        "beam_size": inference.InferParameter(int64_param=2),
        "max_tokens": inference.InferParameter(int64_param=5),
    },
    inputs=[_text("text", "a dog runs")],
    outputs=[
        inference.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in ("translation", "attention")
    ],
)
_INFERENCES = ((_TYPED_GENERATION,), (_RAW_GENERATION,), (_SCORING,), (_TRANSLATION,))
_REFLECTION = reflection_pb2.ServerReflectionRequest

_CONVERSATIONS: Mapping[str, tuple[tuple[Message, ...], ...]] = MappingProxyType(
    {
        "Generate": ((_GENERATE,), (_RESUME,)),
        "GenerateSession": (_SESSION,),
        "Classify": ((sentiment_pb2.ClassifyRequest(model="sentiment", text="a good film", include_trace=True),),),
        "ClassifyBatch": (
            (sentiment_pb2.ClassifyBatchRequest(model="sentiment", version=1, texts=["good", "bad", "a film"]),),
        ),
        "ClassifyStream": (
            tuple(
                sentiment_pb2.ClassifyStreamRequest(model="sentiment", text=text, request_id=text[:2])
                for text in ("a good film", "a bad film", "no film")
            ),
        ),
        "ClassifyIncremental": (_TYPED,),
        "Translate": (
            (
                translation_pb2.TranslateRequest(
                    model="translation-en-fr",
                    text="a dog runs",
                    beam_size=2,
                    length_penalty=0.6,
                    max_tokens=5,
                    include_attention=True,
                ),
            ),
        ),
        "GetModel": ((models_pb2.GetModelRequest(model="char-lm", version=1),),),
        "LoadModel": ((models_pb2.LoadModelRequest(model="sentiment", version=1),),),
        "UnloadModel": ((models_pb2.UnloadModelRequest(model="sentiment", version=1),),),
        "ModelReady": ((inference.ModelReadyRequest(name="char-lm", version="1"),),),
        "ModelMetadata": ((inference.ModelMetadataRequest(name="char-lm", version="1"),),),
        "ModelConfig": ((inference.ModelConfigRequest(name="sentiment", version="1"),),),
        "ModelStatistics": ((inference.ModelStatisticsRequest(name="translation-en-fr", version="1"),),),
        "ModelInfer": _INFERENCES,
        "ModelStreamInfer": (*_INFERENCES, (_TYPED_GENERATION, _SCORING, _RAW_GENERATION)),
        "RepositoryIndex": ((inference.RepositoryIndexRequest(ready=True),),),
        "RepositoryModelLoad": ((inference.RepositoryModelLoadRequest(model_name="sentiment"),),),
        "RepositoryModelUnload": ((inference.RepositoryModelUnloadRequest(model_name="sentiment"),),),
        "Check": ((health_pb2.HealthCheckRequest(service="char-lm"),),),
        "Watch": ((health_pb2.HealthCheckRequest(service="char-lm"),),),
        "ServerReflectionInfo": (
            (
                _REFLECTION(list_services="*"),
                _REFLECTION(file_containing_symbol="ostinato.v1.GenerationService"),
                _REFLECTION(file_by_filename="ostinato/v1/generation.proto"),
                _REFLECTION(all_extension_numbers_of_type="ostinato.v1.GenerateRequest"),
                _REFLECTION(
                    file_containing_extension=reflection_pb2.ExtensionRequest(
                        containing_type="ostinato.v1.GenerateRequest", extension_number=1
                    )
                ),
            ),
        ),
    }
)
