"""ModelService: tells what is served, and changes it where that is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ostinato.v1 import models_pb2, models_pb2_grpc
from ostinato_bundle import Manifest, Tensor
from ostinato_server.errors import ControlDisabled
from ostinato_server.repository.catalog import Catalog, check_name
from ostinato_server.repository.index import State
from ostinato_server.repository.lifecycle import Lifecycle
from ostinato_server.repository.model import LoadedModel

if TYPE_CHECKING:
    from ostinato.v1.models_pb2_grpc import _ServicerContext

_TASKS = {
    "generation": models_pb2.TASK_GENERATION,
    "sentiment": models_pb2.TASK_SENTIMENT,
    "translation": models_pb2.TASK_TRANSLATION,
}


_STATES = {
    State.AVAILABLE: models_pb2.MODEL_STATE_AVAILABLE,
    State.LOADED: models_pb2.MODEL_STATE_LOADED,
    State.DRAINING: models_pb2.MODEL_STATE_DRAINING,
    State.REFUSED: models_pb2.MODEL_STATE_REFUSED,
}


class ModelService(models_pb2_grpc.ModelServiceServicer):
    """Describes the loaded models, loads and unloads.

    Args:
        catalog: The models.
        lifecycle: Loads and unloads them.
        control: ``explicit`` where requests may change what is loaded.
    """

    def __init__(self, catalog: Catalog, lifecycle: Lifecycle, control: str) -> None:
        self._catalog = catalog
        self._lifecycle = lifecycle
        self._control = control

    async def ListModels(  # noqa: N802 (the contract's name)
        self, request: models_pb2.ListModelsRequest, context: _ServicerContext
    ) -> models_pb2.ListModelsResponse:
        """Lists the loaded models."""
        return models_pb2.ListModelsResponse(models=[describe(model) for model in self._catalog.all()])

    async def GetModel(  # noqa: N802
        self, request: models_pb2.GetModelRequest, context: _ServicerContext
    ) -> models_pb2.GetModelResponse:
        """Describes one model."""
        version = request.version if request.HasField("version") else None
        return models_pb2.GetModelResponse(model=describe(self._catalog.get(request.model, version)))

    async def ListRepository(  # noqa: N802
        self, request: models_pb2.ListRepositoryRequest, context: _ServicerContext
    ) -> models_pb2.ListRepositoryResponse:
        """Tells what the repository holds."""
        entries = [
            models_pb2.RepositoryEntry(
                model=entry.name, version=entry.version, state=_STATES[entry.state], reason=entry.reason
            )
            for entry in await self._lifecycle.index()
        ]
        return models_pb2.ListRepositoryResponse(entries=entries)

    async def LoadModel(  # noqa: N802
        self, request: models_pb2.LoadModelRequest, context: _ServicerContext
    ) -> models_pb2.LoadModelResponse:
        """Loads a version, or brings a model to its policy."""
        self._may_change(request.model)
        version = request.version if request.HasField("version") else None
        served = await self._lifecycle.load(request.model, version)
        return models_pb2.LoadModelResponse(models=[describe(model) for model in served])

    async def UnloadModel(  # noqa: N802
        self, request: models_pb2.UnloadModelRequest, context: _ServicerContext
    ) -> models_pb2.UnloadModelResponse:
        """Stops serving a version, or all of a model."""
        self._may_change(request.model)
        version = request.version if request.HasField("version") else None
        served = await self._lifecycle.unload(request.model, version)
        return models_pb2.UnloadModelResponse(models=[describe(model) for model in served])

    def _may_change(self, name: str) -> None:
        if self._control != "explicit":
            raise ControlDisabled(self._control)
        check_name(name)


def describe(model: LoadedModel) -> models_pb2.Model:
    """A loaded model as a message."""
    manifest = model.manifest
    return models_pb2.Model(
        name=manifest.name,
        version=manifest.version,
        task=_TASKS[manifest.task],
        description=manifest.description,
        license=manifest.license,
        limits=models_pb2.ModelLimits(**model.limits.model_dump()),
        tokenizer=models_pb2.TokenizerInfo(
            kind=manifest.tokenizer.kind,
            vocabulary_size=manifest.tokenizer.vocabulary_size,
            unknown_token=model.codec.unknown_piece,
        ),
        graphs=_graphs(manifest),
        evaluations=[
            models_pb2.EvaluationResult(
                measure=result.measure, value=result.value, data_set=result.data_set, runtime=result.artifact
            )
            for result in manifest.evaluation
        ],
        runtime=model.runtime,
        device=model.device,
        architecture={key: str(value) for key, value in manifest.architecture.items()},
    )


def _graphs(manifest: Manifest) -> list[models_pb2.GraphSignature]:
    return [
        models_pb2.GraphSignature(name=name, inputs=_tensors(graph.inputs), outputs=_tensors(graph.outputs))
        for name, graph in manifest.graphs.items()
    ]


def _tensors(tensors: Iterable[Tensor]) -> list[models_pb2.TensorSignature]:
    return [
        models_pb2.TensorSignature(name=tensor.name, data_type=tensor.data_type, shape=tensor.shape)
        for tensor in tensors
    ]
