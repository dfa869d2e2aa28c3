"""ModelService: tells what is served."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ostinato.v1 import models_pb2, models_pb2_grpc
from ostinato_bundle import Manifest, Tensor
from ostinato_server.repository.catalog import Catalog
from ostinato_server.repository.model import LoadedModel

if TYPE_CHECKING:
    from ostinato.v1.models_pb2_grpc import _ServicerContext

_TASKS = {
    "generation": models_pb2.TASK_GENERATION,
    "sentiment": models_pb2.TASK_SENTIMENT,
    "translation": models_pb2.TASK_TRANSLATION,
}


class ModelService(models_pb2_grpc.ModelServiceServicer):
    """Describes the loaded models.

    Args:
        catalog: The models.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

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


def describe(model: LoadedModel) -> models_pb2.Model:
    """A loaded model as a message."""
    manifest = model.manifest
    return models_pb2.Model(
        name=manifest.name,
        version=manifest.version,
        task=_TASKS[manifest.task],
        description=manifest.description,
        license=manifest.license,
        limits=models_pb2.ModelLimits(**manifest.limits.model_dump()),
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
