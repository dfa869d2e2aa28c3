"""What a request asks of a model, checked against the task's signature."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
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

SCHEDULE = MappingProxyType({"priority": 3, "timeout": 2**64 - 1})
"""Triton's parameters of every request, each with its highest value: the level of priority, of which 1 is the highest,
and microseconds. 0 stands for the default. No tensor may take their place."""

CLASSIFICATION = "classification"
"""Triton's parameter of an output: how many classes to give in place of the values of all."""

_WHOLE = {"INT32": 2**32 - 1, "UINT64": 2**64 - 1}

Option = bool | int | float | list[str]


@dataclass(frozen=True, slots=True)
class Arguments:
    """A request, checked and in Python's own terms.

    Attributes:
        texts: The texts of the input that must be there.
        in_column: Whether the texts came in shape [N, 1] rather than [N].
        options: The optional inputs that were given, by name, as tensors or as parameters.
        priority: 1 (highest) to 3, or 0 for the default.
        timeout_seconds: How long the request may take, within the deadline of its call; infinite for no limit.
        wanted: Names of the outputs asked for; empty for the usual ones.
        classifications: How many classes to give for an output in place of its values, by the name of the output.
    """

    texts: Sequence[str]
    in_column: bool
    options: dict[str, Any]
    priority: int
    timeout_seconds: float
    wanted: frozenset[str]
    classifications: dict[str, int]


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
    text = given.pop(signature.text.name)
    options: dict[str, Any] = {name: _value(tensor, known[name]) for name, tensor in given.items()}
    schedule = dict.fromkeys(SCHEDULE, 0)
    specs = {spec.name: spec for spec in signature.options}
    for name, parameter in request.parameters.items():
        if name in _IGNORED:
            continue
        if name in SCHEDULE:
            schedule[name] = _whole_parameter(name, parameter, 0, SCHEDULE[name])
            continue
        if name not in specs:
            takes = _names((*specs, *SCHEDULE))
            raise InvalidArgument(_short(name), f"is no parameter of this model; it takes {takes}")
        if name in options:
            raise InvalidArgument(name, "must be an input or a parameter, not both")
        options[name] = _parameter(specs[name], parameter)
    return Arguments(
        texts=_texts(text),
        in_column=text.array.ndim > len(signature.text.shape),
        options=options,
        priority=schedule["priority"],
        timeout_seconds=schedule["timeout"] / 1e6 or math.inf,
        wanted=_wanted(request, signature),
        classifications={
            output.name: _classification(output, signature) for output in request.outputs if output.parameters
        },
    )


def _classification(output: pb.ModelInferRequest.InferRequestedOutputTensor, signature: Signature) -> int:
    """How many classes an output with parameters of its own is to give."""
    for name in output.parameters:
        if name != CLASSIFICATION:
            raise InvalidArgument(
                f"{output.name} {_short(name)}", f"is no parameter of an output; it takes {CLASSIFICATION}"
            )
    if output.name not in signature.classes:
        raise InvalidArgument(
            output.name, f"holds no classes to rank; {_names(signature.classes) or 'no output of this model'} does"
        )
    most = len(signature.classes[output.name])
    return _whole_parameter(f"{output.name} {CLASSIFICATION}", output.parameters[CLASSIFICATION], 1, most)


def _wanted(request: pb.ModelInferRequest, signature: Signature) -> frozenset[str]:
    outputs = [spec.name for spec in (*signature.outputs, *signature.extras)]
    for output in request.outputs:
        if output.name not in outputs:
            raise InvalidArgument(_short(output.name), f"is no output of this model; it gives {_names(outputs)}")
    return frozenset(output.name for output in request.outputs)


def _check(tensor: Tensor, spec: TensorSpec) -> None:
    if tensor.datatype != spec.datatype:
        raise InvalidArgument(tensor.name, f"must be {spec.datatype}, not {tensor.datatype}")
    shape = tensor.array.shape
    shapes = (spec.shape, (*spec.shape, 1))  # the second one where a client has a batch dimension
    if not any(_fits(shape, wanted) for wanted in shapes):
        known = " or ".join(str(list(wanted)) for wanted in shapes)
        raise InvalidArgument(tensor.name, f"must have shape {known}, not {list(shape)}")
    if len(tensor.array) > MAX_ELEMENTS:
        raise InvalidArgument(tensor.name, f"must have at most {MAX_ELEMENTS} elements, not {len(tensor.array)}")


def _fits(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    return len(shape) == len(wanted) and all(size in (ANY, own) for size, own in zip(wanted, shape, strict=True))


def _value(tensor: Tensor, spec: TensorSpec) -> Option:
    if spec.datatype == BYTES:
        return _texts(tensor)
    value: bool | int | float = tensor.array.reshape(-1)[0].item()
    return _whole(spec, value) if spec.datatype in _WHOLE else value


def _whole_parameter(field: str, parameter: pb.InferParameter, least: int, most: int) -> int:
    kind = parameter.WhichOneof("parameter_choice")
    if kind not in ("int64_param", "uint64_param"):
        raise InvalidArgument(field, f"must be a whole number, not {kind or 'nothing'}")
    return int(fields.number(field, getattr(parameter, kind), least, most))


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
    for index, element in enumerate(tensor.array.reshape(-1)):
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
