"""One description per RPC: where it goes, what is sent, how the answers become results.

Pure: both clients run these descriptions, and differ only in how they wait.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from ostinato.v1 import generation_pb2, models_pb2, sentiment_pb2, translation_pb2
from ostinato_client import requests
from ostinato_client.catalog import Model, RepositoryEntry, entry_from, model_from
from ostinato_client.generation import GenerationFold
from ostinato_client.results import Chunk, GenerationSummary, SentimentScore, TargetToken, Translation
from ostinato_client.sentiment import score_from, scores_from
from ostinato_client.translation import TranslationFold

GENERATE = "/ostinato.v1.GenerationService/Generate"
GENERATE_SESSION = "/ostinato.v1.GenerationService/GenerateSession"
CLASSIFY = "/ostinato.v1.SentimentService/Classify"
CLASSIFY_BATCH = "/ostinato.v1.SentimentService/ClassifyBatch"
CLASSIFY_STREAM = "/ostinato.v1.SentimentService/ClassifyStream"
CLASSIFY_INCREMENTAL = "/ostinato.v1.SentimentService/ClassifyIncremental"
TRANSLATE = "/ostinato.v1.TranslationService/Translate"
LIST_MODELS = "/ostinato.v1.ModelService/ListModels"
GET_MODEL = "/ostinato.v1.ModelService/GetModel"
LIST_REPOSITORY = "/ostinato.v1.ModelService/ListRepository"
LOAD_MODEL = "/ostinato.v1.ModelService/LoadModel"
UNLOAD_MODEL = "/ostinato.v1.ModelService/UnloadModel"
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"

ResponseT = TypeVar("ResponseT", bound=Message)
ResponseT_contra = TypeVar("ResponseT_contra", bound=Message, contravariant=True)
ItemT = TypeVar("ItemT")
ItemT_co = TypeVar("ItemT_co", covariant=True)
ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)


class Fold(Protocol[ResponseT_contra, ItemT_co, ResultT_co]):
    """Turns the messages of one stream into items, and at its end into a result."""

    def feed(self, response: ResponseT_contra) -> Sequence[ItemT_co]:
        """Takes the next message and gives the items in it."""

    def finish(self) -> ResultT_co:
        """The result, once the stream has ended; ServerError where the stream broke the contract."""


@dataclass(frozen=True, slots=True)
class UnaryCall(Generic[ResponseT, ResultT]):
    """A call with one answer."""

    path: str
    request: Message
    response: type[ResponseT]
    result: Callable[[ResponseT], ResultT]
    idempotent: bool = True
    """Whether the call may be repeated though the server may have served it."""


@dataclass(frozen=True, slots=True)
class ConversationCall:
    """A call with streams both ways."""

    path: str
    request: type[Message]
    response: type[Message]


@dataclass(frozen=True, slots=True)
class StreamCall(Generic[ResponseT, ItemT, ResultT]):
    """A call whose answer is a stream."""

    path: str
    request: Message
    response: type[ResponseT]
    fold: Fold[ResponseT, ItemT, ResultT]


GenerationCall = StreamCall[generation_pb2.GenerateResponse, Chunk, GenerationSummary]
TranslationCall = StreamCall[translation_pb2.TranslateResponse, TargetToken, Translation]
ScoreCall = UnaryCall[sentiment_pb2.ClassifyResponse, SentimentScore]
BatchCall = UnaryCall[sentiment_pb2.ClassifyBatchResponse, list[SentimentScore]]
HealthCall = UnaryCall[health_pb2.HealthCheckResponse, bool]


GENERATE_SESSION_CALL = ConversationCall(
    GENERATE_SESSION, generation_pb2.GenerateSessionRequest, generation_pb2.GenerateSessionResponse
)
CLASSIFY_STREAM_CALL = ConversationCall(
    CLASSIFY_STREAM, sentiment_pb2.ClassifyStreamRequest, sentiment_pb2.ClassifyStreamResponse
)
CLASSIFY_INCREMENTAL_CALL = ConversationCall(
    CLASSIFY_INCREMENTAL, sentiment_pb2.ClassifyIncrementalRequest, sentiment_pb2.ClassifyIncrementalResponse
)


def generate(fold: GenerationFold) -> GenerationCall:
    """Continues a prompt, after the part of the stream that `fold` has."""
    return StreamCall(GENERATE, fold.request(), generation_pb2.GenerateResponse, fold)


def translate(fold: TranslationFold) -> TranslationCall:
    """Translates a text, after the part of the stream that `fold` has."""
    return StreamCall(TRANSLATE, fold.request(), translation_pb2.TranslateResponse, fold)


def classify(text: str, *, model: str, version: int | None, trace: bool) -> ScoreCall:
    """Scores a text."""
    request = requests.classify_request(text, model=model, version=version, trace=trace)
    return UnaryCall(
        CLASSIFY, request, sentiment_pb2.ClassifyResponse, lambda response: score_from(text, response.score)
    )


def classify_batch(texts: Sequence[str], *, model: str, version: int | None, trace: bool) -> BatchCall:
    """Scores several texts at once."""
    texts = requests.text_list("texts", texts)
    request = requests.classify_batch_request(texts, model=model, version=version, trace=trace)
    return UnaryCall(
        CLASSIFY_BATCH, request, sentiment_pb2.ClassifyBatchResponse, lambda response: scores_from(texts, response)
    )


def list_models() -> UnaryCall[models_pb2.ListModelsResponse, list[Model]]:
    """Lists the loaded models."""
    return UnaryCall(
        LIST_MODELS,
        models_pb2.ListModelsRequest(),
        models_pb2.ListModelsResponse,
        lambda response: [model_from(each) for each in response.models],
    )


def get_model(name: str, version: int | None) -> UnaryCall[models_pb2.GetModelResponse, Model]:
    """Describes a model."""
    request = requests.get_model_request(name, version=version)
    return UnaryCall(GET_MODEL, request, models_pb2.GetModelResponse, lambda response: model_from(response.model))


def list_repository() -> UnaryCall[models_pb2.ListRepositoryResponse, list[RepositoryEntry]]:
    """Lists what the repository holds."""
    return UnaryCall(
        LIST_REPOSITORY,
        models_pb2.ListRepositoryRequest(),
        models_pb2.ListRepositoryResponse,
        lambda response: [entry_from(each) for each in response.entries],
    )


def load_model(name: str, version: int | None) -> UnaryCall[models_pb2.LoadModelResponse, list[Model]]:
    """Loads a model."""
    request = requests.load_model_request(name, version=version)
    return UnaryCall(
        LOAD_MODEL,
        request,
        models_pb2.LoadModelResponse,
        lambda response: [model_from(each) for each in response.models],
        idempotent=False,
    )


def unload_model(name: str, version: int | None) -> UnaryCall[models_pb2.UnloadModelResponse, list[Model]]:
    """Unloads a model."""
    request = requests.unload_model_request(name, version=version)
    return UnaryCall(
        UNLOAD_MODEL,
        request,
        models_pb2.UnloadModelResponse,
        lambda response: [model_from(each) for each in response.models],
        idempotent=False,
    )


def check_health(service: str) -> HealthCall:
    """Asks whether a service takes requests."""
    request = health_pb2.HealthCheckRequest(service=service)
    return UnaryCall(HEALTH_CHECK, request, health_pb2.HealthCheckResponse, is_serving)


def is_serving(response: health_pb2.HealthCheckResponse) -> bool:
    """Whether a health answer says SERVING."""
    return response.status == health_pb2.HealthCheckResponse.SERVING
