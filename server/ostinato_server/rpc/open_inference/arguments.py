"""What a request asks of a model, checked against the task's signature."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ostinato.inference import grpc_service_pb2 as pb
from ostinato_server.errors import InvalidArgument
from ostinato_server.rpc import fields
from ostinato_server.rpc.open_inference.signatures import ANY, Signature, TensorSpec
from ostinato_server.rpc.open_inference.tensors import BYTES, Tensor, read_tensors

MAX_ELEMENTS = 4096
"""Texts that a tensor of them may hold; a model's own limit is lower or equal."""

_IGNORED = frozenset({"triton_enable_empty_final_response"})
"""Parameters that change nothing: the last message of a generated stream never has a text."""

_WHOLE = {"INT32": 2**32 - 1, "UINT64": 2**64 - 1}

Option = bool | int | float | list[str]


@dataclass(frozen=True, slots=True)
class Arguments:
    """A request, checked and in Python's own terms.

    Attributes:
        texts: The texts of the input that must be there.
        options: The optional inputs that were given, by name, as tensors or as parameters.
        wanted: Names of the outputs asked for; empty for the usual ones.
    """

    texts: Sequence[str]
    options: dict[str, Any]
    wanted: frozenset[str]


def read_arguments(request: pb.ModelInferRequest, signature: Signature) -> Arguments:
    """Checks a request.

    Raises:
        InvalidArgument: A tensor, parameter or output is unknown, missing, doubled, or of another type or shape.
    """
    known = {spec.name: spec for spec in (signature.text, *signature.options)}
    given: dict[str, Tensor] = {}
    for tensor in read_tensors(request):
        if tensor.name not in known:
            raise InvalidArgument(tensor.name, f"is no input of this model; it takes {_names(known)}")
        if tensor.name in given:
            raise InvalidArgument(tensor.name, "must be given once")
        _check(tensor, known[tensor.name])
        given[tensor.name] = tensor
    if signature.text.name not in given:
        raise InvalidArgument(signature.text.name, "must be given")
    texts = _texts(given.pop(signature.text.name))
    options: dict[str, Any] = {name: _value(tensor, known[name]) for name, tensor in given.items()}
    specs = {spec.name: spec for spec in signature.options}
    for name, parameter in request.parameters.items():
        if name in _IGNORED:
            continue
        if name not in specs:
            raise InvalidArgument(_short(name), f"is no parameter of this model; it takes {_names(specs) or 'none'}")
        if name in options:
            raise InvalidArgument(name, "must be an input or a parameter, not both")
        options[name] = _parameter(specs[name], parameter)
    return Arguments(texts, options, _wanted(request, signature))


def _wanted(request: pb.ModelInferRequest, signature: Signature) -> frozenset[str]:
    outputs = [spec.name for spec in (*signature.outputs, *signature.extras)]
    for output in request.outputs:
        if output.name not in outputs:
            raise InvalidArgument(_short(output.name), f"is no output of this model; it gives {_names(outputs)}")
        if output.parameters:
            raise InvalidArgument(output.name, "must have no parameters of its own, shared memory among them")
    return frozenset(output.name for output in request.outputs)


def _check(tensor: Tensor, spec: TensorSpec) -> None:
    if tensor.datatype != spec.datatype:
        raise InvalidArgument(tensor.name, f"must be {spec.datatype}, not {tensor.datatype}")
    shape = tensor.array.shape
    if len(shape) != len(spec.shape) or any(
        wanted not in (ANY, size) for wanted, size in zip(spec.shape, shape, strict=True)
    ):
        raise InvalidArgument(tensor.name, f"must have shape {list(spec.shape)}, not {list(shape)}")
    if len(tensor.array) > MAX_ELEMENTS:
        raise InvalidArgument(tensor.name, f"must have at most {MAX_ELEMENTS} elements, not {len(tensor.array)}")


def _value(tensor: Tensor, spec: TensorSpec) -> Option:
    if spec.datatype == BYTES:
        return _texts(tensor)
    value: bool | int | float = tensor.array.reshape(-1)[0].item()
    return _whole(spec, value) if spec.datatype in _WHOLE else value


def _parameter(spec: TensorSpec, parameter: pb.InferParameter) -> Option:
    kind = parameter.WhichOneof("parameter_choice")
    value: Any = None if kind is None else getattr(parameter, kind)
    if spec.datatype == BYTES and isinstance(value, str):
        return [value]
    if spec.datatype == "BOOL" and isinstance(value, bool):
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if spec.datatype == "FP32" and number:
        return float(value)
    if spec.datatype in _WHOLE and number and isinstance(value, int):
        return _whole(spec, value)
    wanted = {"BYTES": "a string", "BOOL": "a truth value", "FP32": "a number"}.get(spec.datatype, "a whole number")
    raise InvalidArgument(spec.name, f"must be {wanted}, not {kind or 'nothing'}")


def _whole(spec: TensorSpec, value: float) -> int:
    """A number that fits the native contract's field; the model's own limits come after it."""
    return int(fields.number(spec.name, value, 0, _WHOLE[spec.datatype]))


def _texts(tensor: Tensor) -> list[str]:
    texts = []
    for index, element in enumerate(tensor.array):
        try:
            texts.append(element.decode())
        except UnicodeDecodeError as error:
            raise InvalidArgument(f"{tensor.name}[{index}]", "must be UTF-8") from error
    return texts


def _names(names: Iterable[str]) -> str:
    return ", ".join(names)


def _short(name: str) -> str:
    """A name that a status can repeat, however long it came."""
    return name if len(name) <= 64 else f"{name[:64]}…"
