"""Models in the protocol's terms: metadata and configuration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ostinato.inference import grpc_service_pb2 as pb
from ostinato_server.repository.model import LoadedModel
from ostinato_server.rpc.open_inference.signatures import SIGNATURES, TensorSpec
from ostinato_server.rpc.open_inference.tensors import BYTES

BACKEND = "ostinato"


def metadata(model: LoadedModel, versions: Iterable[int]) -> pb.ModelMetadataResponse:
    """The tensors of a model, and the versions of its name that are served."""
    signature = SIGNATURES[model.manifest.task]
    return pb.ModelMetadataResponse(
        name=model.name,
        versions=[str(version) for version in versions],
        platform=model.runtime,
        inputs=_tensors((signature.text, *signature.options)),
        outputs=_tensors((*signature.outputs, *signature.extras)),
    )


def configuration(model: LoadedModel) -> pb.ModelConfig:
    """A model's configuration."""
    signature = SIGNATURES[model.manifest.task]
    return pb.ModelConfig(
        name=model.name,
        platform=model.runtime,
        backend=BACKEND,
        max_batch_size=0,
        input=[
            pb.ModelInput(
                name=spec.name, data_type=_data_type(spec), dims=spec.shape, optional=spec is not signature.text
            )
            for spec in (signature.text, *signature.options)
        ],
        output=[
            pb.ModelOutput(name=spec.name, data_type=_data_type(spec), dims=spec.shape)
            for spec in (*signature.outputs, *signature.extras)
        ],
        model_transaction_policy=pb.ModelTransactionPolicy(decoupled=signature.decoupled),
    )


def _tensors(specs: Sequence[TensorSpec]) -> list[pb.ModelMetadataResponse.TensorMetadata]:
    return [
        pb.ModelMetadataResponse.TensorMetadata(name=spec.name, datatype=spec.datatype, shape=spec.shape)
        for spec in specs
    ]


def _data_type(spec: TensorSpec) -> pb.DataType.ValueType:
    return pb.DataType.Value("TYPE_STRING" if spec.datatype == BYTES else f"TYPE_{spec.datatype}")
