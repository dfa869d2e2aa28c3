"""GRPCInferenceService: the Open Inference Protocol's calls."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from ostinato.inference import grpc_service_pb2 as pb
from ostinato.inference import grpc_service_pb2_grpc
from ostinato.v1 import models_pb2
from ostinato_server.errors import InvalidArgument, ModelNotFound, ServerError
from ostinato_server.repository.model import LoadedModel
from ostinato_server.repository.watchdog import Watchdog
from ostinato_server.rpc.call import current_call, request_deadline
from ostinato_server.rpc.desk import Desk
from ostinato_server.rpc.generation import GenerationService
from ostinato_server.rpc.limits import CallerLimit, CallShare
from ostinato_server.rpc.models import ModelService
from ostinato_server.rpc.open_inference.arguments import Arguments, read_arguments
from ostinato_server.rpc.open_inference.descriptions import configuration, metadata
from ostinato_server.rpc.open_inference.side_by_side import side_by_side
from ostinato_server.rpc.open_inference.signatures import SIGNATURES, Signature
from ostinato_server.rpc.open_inference.tasks import Answer, Tasks
from ostinato_server.rpc.open_inference.tensors import Tensor, column, top_classes, write_tensors
from ostinato_server.rpc.sentiment import SentimentService
from ostinato_server.rpc.translation import TranslationService
from ostinato_server.statistics import Spent, Statistics

if TYPE_CHECKING:
    from ostinato.inference.grpc_service_pb2_grpc import _MaybeAsyncIterator, _ServicerContext

logger = logging.getLogger(__name__)

NAME = "ostinato"
EXTENSIONS = ("classification", "model_configuration", "model_repository", "schedule_policy", "statistics")
"""Triton's names of what is answered beyond the protocol."""

MAX_VERSION_DIGITS = 9

STREAM_REQUESTS = 64
"""Requests of one stream that may be under way; the next but one is read when one of them has been answered."""

READY = "READY"
STATES = MappingProxyType(
    {
        models_pb2.MODEL_STATE_LOADED: READY,
        models_pb2.MODEL_STATE_DRAINING: "UNLOADING",
        models_pb2.MODEL_STATE_AVAILABLE: "UNAVAILABLE",
        models_pb2.MODEL_STATE_REFUSED: "UNAVAILABLE",
    }
)
"""Triton's word for each state of a version."""


class OpenInferenceService(grpc_service_pb2_grpc.GRPCInferenceServiceServicer):
    """Answers in tensors what the native services answer in messages.

    Args:
        desk: Where requests find their model.
        statistics: What was counted of the models.
        models: Lists, loads and unloads them.
        watchdog: Tells whether the models can work.
        limit: Bounds the calls of one caller; the requests of a stream count as calls.
        draining: Whether the server is shutting down.
        version: The server's.
    """

    def __init__(
        self,
        desk: Desk,
        statistics: Statistics,
        models: ModelService,
        watchdog: Watchdog,
        limit: CallerLimit,
        draining: Callable[[], bool],
        version: str,
    ) -> None:
        self._desk = desk
        self._statistics = statistics
        self._models = models
        self._watchdog = watchdog
        self._limit = limit
        self._draining = draining
        self._version = version
        self._tasks = Tasks(GenerationService(desk), SentimentService(desk), TranslationService(desk))

    async def ServerLive(  # noqa: N802 (the contract's name)
        self, request: pb.ServerLiveRequest, context: _ServicerContext
    ) -> pb.ServerLiveResponse:
        """Says whether the process and its engines can recover by themselves; if not, only a restart helps."""
        return pb.ServerLiveResponse(live=not self._watchdog.fatal())

    async def ServerReady(  # noqa: N802
        self, request: pb.ServerReadyRequest, context: _ServicerContext
    ) -> pb.ServerReadyResponse:
        """Says whether any model takes requests."""
        any_works = None in self._watchdog.faults().values()
        return pb.ServerReadyResponse(ready=any_works and not self._draining())

    async def ModelReady(  # noqa: N802
        self, request: pb.ModelReadyRequest, context: _ServicerContext
    ) -> pb.ModelReadyResponse:
        """Says whether a model takes requests."""
        try:
            model = self._find(request.name, request.version)
        except ModelNotFound:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=self._watchdog.works(model) and not self._draining())

    async def ServerMetadata(  # noqa: N802
        self, request: pb.ServerMetadataRequest, context: _ServicerContext
    ) -> pb.ServerMetadataResponse:
        """Says what the server is."""
        return pb.ServerMetadataResponse(name=NAME, version=self._version, extensions=EXTENSIONS)

    async def ModelMetadata(  # noqa: N802
        self, request: pb.ModelMetadataRequest, context: _ServicerContext
    ) -> pb.ModelMetadataResponse:
        """Describes a model's tensors."""
        model = self._find(request.name, request.version)
        return metadata(model, [other.version for other in self._desk.catalog.all() if other.name == model.name])

    async def ModelConfig(  # noqa: N802
        self, request: pb.ModelConfigRequest, context: _ServicerContext
    ) -> pb.ModelConfigResponse:
        """Describes a model in Triton's terms."""
        return pb.ModelConfigResponse(config=configuration(self._find(request.name, request.version)))

    async def ModelInfer(  # noqa: N802
        self, request: pb.ModelInferRequest, context: _ServicerContext
    ) -> pb.ModelInferResponse:
        """Runs a model."""
        model = self._find(request.model_name, request.model_version, prefix="model_")
        arguments = self._read(model, request)
        answer = await self._tasks.whole(model, arguments, context)
        return _response(model, request, arguments, answer)

    async def ModelStreamInfer(  # noqa: N802
        self, request_iterator: _MaybeAsyncIterator[pb.ModelInferRequest], context: _ServicerContext
    ) -> AsyncIterator[pb.ModelStreamInferResponse]:
        """Runs models, several requests at a time; an error ends its request, not the stream."""
        call = current_call.get()
        share = CallShare(self._limit, call.peer if call.caller is None else call.caller.key)
        async with aclosing(self._desk.sessions.until_draining(request_iterator)) as requests:
            answers = side_by_side(
                requests,
                lambda request: self._answer(request, share, context),
                STREAM_REQUESTS,
                self._desk.max_deadline_seconds,
            )
            async with aclosing(answers) as responses:  # frees the slots of all that runs if nobody reads on
                async for response in responses:
                    yield response

    async def ModelStatistics(  # noqa: N802
        self, request: pb.ModelStatisticsRequest, context: _ServicerContext
    ) -> pb.ModelStatisticsResponse:
        """Tells what was counted of one model, or of all."""
        wanted = _version(request.version)
        if request.name:
            self._find(request.name, request.version)
        models = [
            model
            for model in self._desk.catalog.all()
            if request.name in ("", model.name) and wanted in (None, model.version)
        ]
        return pb.ModelStatisticsResponse(model_stats=[_counted(model, self._statistics) for model in models])

    async def RepositoryIndex(  # noqa: N802
        self, request: pb.RepositoryIndexRequest, context: _ServicerContext
    ) -> pb.RepositoryIndexResponse:
        """Lists the versions of all models."""
        if request.repository_name:
            raise InvalidArgument("repository_name", "must be empty; there is one repository")
        listed = await self._models.ListRepository(models_pb2.ListRepositoryRequest(), cast("Any", context))
        entry = pb.RepositoryIndexResponse.ModelIndex
        models = [
            entry(name=each.model, version=str(each.version), state=STATES[each.state], reason=each.reason)
            for each in listed.entries
        ]
        return pb.RepositoryIndexResponse(models=[each for each in models if each.state == READY or not request.ready])

    async def RepositoryModelLoad(  # noqa: N802
        self, request: pb.RepositoryModelLoadRequest, context: _ServicerContext
    ) -> pb.RepositoryModelLoadResponse:
        """Brings a model to its version policy, where requests may change what is served."""
        if request.parameters:
            raise InvalidArgument("parameters", "must be empty; a model is served as its bundle says")
        await self._models.LoadModel(models_pb2.LoadModelRequest(model=request.model_name), cast("Any", context))
        return pb.RepositoryModelLoadResponse()

    async def RepositoryModelUnload(  # noqa: N802
        self, request: pb.RepositoryModelUnloadRequest, context: _ServicerContext
    ) -> pb.RepositoryModelUnloadResponse:
        """Stops serving all versions of a model, where requests may change what is served."""
        await self._models.UnloadModel(models_pb2.UnloadModelRequest(model=request.model_name), cast("Any", context))
        return pb.RepositoryModelUnloadResponse()

    async def _answer(
        self, request: pb.ModelInferRequest, share: CallShare, context: _ServicerContext
    ) -> AsyncGenerator[pb.ModelStreamInferResponse]:
        """Answers one request of a stream, an error with a message too."""
        call = current_call.get()
        call.requests += 1
        try:
            model = self._find(request.model_name, request.model_version, prefix="model_")
            with ExitStack() as place:
                with self._refusal_counted(model):
                    place.enter_context(share.request())
                arguments = self._read(model, request)
                async with aclosing(self._tasks.stream(model, arguments, context)) as answers:
                    async for answer in answers:
                        response = _response(model, request, arguments, answer)
                        response.parameters["triton_final_response"].bool_param = answer.final
                        yield pb.ModelStreamInferResponse(infer_response=response)
        except ServerError as error:
            call.failed += 1
            yield _failure(request, str(error))
        except Exception:
            call.failed += 1
            logger.exception("ModelStreamInfer: unexpected error")
            yield _failure(request, "internal error; the server has logged why")

    def _find(self, name: str, version: str, prefix: str = "") -> LoadedModel:
        return self._desk.catalog.get(name, _version(version, f"{prefix}version"))

    def _read(self, model: LoadedModel, request: pb.ModelInferRequest) -> Arguments:
        """Reads a request; its timeout counts from now, for all that this task and those that it starts do."""
        with self._refusal_counted(model):
            arguments = read_arguments(request, SIGNATURES[model.manifest.task])
        request_deadline.set(self._desk.clock() + arguments.timeout_seconds)
        return arguments

    @contextmanager
    def _refusal_counted(self, model: LoadedModel) -> Iterator[None]:
        """Counts a request that is refused here; the native services count all others."""
        try:
            yield
        except ServerError:
            with self._desk.count(model):
                raise


def _version(text: str, field: str = "version") -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_VERSION_DIGITS):
        raise InvalidArgument(field, f"must be empty or at most {MAX_VERSION_DIGITS} decimal digits")
    return int(text)


def _response(
    model: LoadedModel, request: pb.ModelInferRequest, arguments: Arguments, answer: Answer
) -> pb.ModelInferResponse:
    response = pb.ModelInferResponse(model_name=model.name, model_version=str(model.version), id=request.id)
    wanted = [
        _as_asked(tensor, arguments, SIGNATURES[model.manifest.task])
        for tensor in answer.tensors
        if not arguments.wanted or tensor.name in arguments.wanted
    ]
    write_tensors(response, wanted, raw=bool(request.raw_input_contents))
    if answer.seed is not None:
        response.parameters["seed"].uint64_param = answer.seed
    return response


def _as_asked(tensor: Tensor, arguments: Arguments, signature: Signature) -> Tensor:
    """An output in the form that the request asks for: classes instead of values, or a column for texts in a column."""
    count = arguments.classifications.get(tensor.name)
    if count is not None:
        return top_classes(tensor, signature.classes[tensor.name], count)
    return column(tensor) if arguments.in_column and tensor.name in signature.per_text else tensor


def _failure(request: pb.ModelInferRequest, message: str) -> pb.ModelStreamInferResponse:
    response = pb.ModelInferResponse(model_name=request.model_name[:64], id=request.id)
    response.parameters["triton_final_response"].bool_param = True
    return pb.ModelStreamInferResponse(error_message=message, infer_response=response)


def _counted(model: LoadedModel, statistics: Statistics) -> pb.ModelStatistics:
    counts = statistics.of(model.name, model.version)
    duration = pb.StatisticDuration
    return pb.ModelStatistics(
        name=model.name,
        version=str(model.version),
        last_inference=counts.last_ended_ms,
        inference_count=counts.answered.count,
        execution_count=counts.executed.count,
        inference_stats=pb.InferStatistics(
            success=duration(count=counts.answered.count, ns=counts.answered.nanoseconds),
            fail=duration(count=counts.failed.count, ns=counts.failed.nanoseconds),
            queue=duration(count=counts.queued.count, ns=counts.queued.nanoseconds),
            **_computed(counts.executed),
        ),
        batch_stats=[
            pb.InferBatchStatistics(batch_size=size, **_computed(spent))
            for size, spent in sorted(counts.batches.copy().items())
        ],
    )


def _computed(executed: Spent) -> dict[str, pb.StatisticDuration]:
    """Times of steps or runs; perf_analyzer stops where input and output are not counted as often."""
    moved = pb.StatisticDuration(count=executed.count)
    infer = pb.StatisticDuration(count=executed.count, ns=executed.nanoseconds)
    return {"compute_input": moved, "compute_infer": infer, "compute_output": moved}
