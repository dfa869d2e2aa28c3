"""Tensors as messages and back, raw and typed; knows neither models nor calls.

Raw contents are little-endian and row-major; an element of BYTES follows its length in four bytes. Typed contents are
repeated fields, one for each family of data types.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.inference import grpc_service_pb2 as pb
from ostinato_server.errors import InvalidArgument

BYTES = "BYTES"

MAX_NAME_CHARACTERS = 64
MAX_DIMENSIONS = 8
"""Both far beyond any tensor here; a status could not even repeat very long ones."""

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class _Numbers:
    """A data type of numbers: how numpy spells it, and its field of typed contents, if it has one."""

    dtype: np.dtype[Any]
    field: str | None


_NUMBERS: Mapping[str, _Numbers] = MappingProxyType(
    {
        "BOOL": _Numbers(np.dtype("?"), "bool_contents"),
        "UINT8": _Numbers(np.dtype("u1"), "uint_contents"),
        "UINT16": _Numbers(np.dtype("<u2"), "uint_contents"),
        "UINT32": _Numbers(np.dtype("<u4"), "uint_contents"),
        "UINT64": _Numbers(np.dtype("<u8"), "uint64_contents"),
        "INT8": _Numbers(np.dtype("i1"), "int_contents"),
        "INT16": _Numbers(np.dtype("<i2"), "int_contents"),
        "INT32": _Numbers(np.dtype("<i4"), "int_contents"),
        "INT64": _Numbers(np.dtype("<i8"), "int64_contents"),
        "FP16": _Numbers(np.dtype("<f2"), None),
        "FP32": _Numbers(np.dtype("<f4"), "fp32_contents"),
        "FP64": _Numbers(np.dtype("<f8"), "fp64_contents"),
    }
)

DATATYPES = (*_NUMBERS, BYTES)
"""Names of the data types that are understood."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named array.

    Attributes:
        name: Its name.
        datatype: One of ``DATATYPES``.
        array: Its elements; ``bytes`` objects where the type is BYTES.
    """

    name: str
    datatype: str
    array: NDArray[Any]


def texts(name: str, values: Sequence[str]) -> Tensor:
    """A tensor of texts, shape (texts,)."""
    return Tensor(name, BYTES, _objects([text.encode() for text in values]))


def numbers(name: str, datatype: str, values: object) -> Tensor:
    """A tensor of numbers, in the shape that they have."""
    return Tensor(name, datatype, np.asarray(values, _NUMBERS[datatype].dtype))


def column(tensor: Tensor) -> Tensor:
    """The same elements in shape (elements, 1)."""
    return Tensor(tensor.name, tensor.datatype, tensor.array.reshape(-1, 1))


def top_classes(tensor: Tensor, labels: Sequence[str], count: int) -> Tensor:
    """Triton's classification of values (N, classes): the ``count`` highest of each row, as ``value:index:label``.

    Returns:
        A tensor of BYTES (N, count), the highest value first, the lowest index first among equals.
    """
    ranked = np.argsort(-tensor.array, axis=1, kind="stable")[:, :count]
    rows = [
        f"{value:f}:{index}:{labels[index]}"
        for row, indices in zip(tensor.array.tolist(), ranked.tolist(), strict=True)
        for index, value in ((index, row[index]) for index in indices)
    ]
    return Tensor(tensor.name, BYTES, texts(tensor.name, rows).array.reshape(ranked.shape))


def read_tensors(request: pb.ModelInferRequest) -> list[Tensor]:
    """The input tensors of a request.

    Raises:
        InvalidArgument: Contents are missing, doubled, of another type, or do not fit the shape.
    """
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise InvalidArgument(
            "raw_input_contents", f"must have one entry for each of {len(request.inputs)} inputs, not {len(raw)}"
        )
    read = []
    for index, given in enumerate(request.inputs):
        if len(given.name) > MAX_NAME_CHARACTERS:
            limit = f"must have at most {MAX_NAME_CHARACTERS} characters, not {len(given.name)}"
            raise InvalidArgument(f"inputs[{index}].name", limit)
        if given.parameters:
            raise InvalidArgument(given.name, "must have no parameters of its own, shared memory among them")
        if len(given.shape) > MAX_DIMENSIONS:
            limit = f"must have at most {MAX_DIMENSIONS} dimensions, not {len(given.shape)}"
            raise InvalidArgument(given.name, limit)
        if raw and given.HasField("contents"):
            raise InvalidArgument(given.name, "must have raw contents or typed contents, not both")
        shape = tuple(given.shape)
        if any(size < 0 for size in shape):
            raise InvalidArgument(given.name, f"must have no negative dimension, not shape {list(shape)}")
        array = (
            decode_raw(given.name, given.datatype, shape, raw[index])
            if raw
            else decode_typed(given.name, given.datatype, shape, given.contents)
        )
        read.append(Tensor(given.name, given.datatype, array))
    return read


def write_tensors(response: pb.ModelInferResponse, given: Iterable[Tensor], *, raw: bool) -> None:
    """Puts tensors into a response, as raw contents or as typed ones."""
    for tensor in given:
        output = response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.array.shape)
        if raw:
            response.raw_output_contents.append(encode_raw(tensor))
        else:
            output.contents.CopyFrom(encode_typed(tensor))


def decode_raw(name: str, datatype: str, shape: tuple[int, ...], raw: bytes) -> NDArray[Any]:
    """The elements in raw contents.

    Raises:
        InvalidArgument: The data type is unknown, or the contents do not fit the shape.
    """
    if datatype == BYTES:
        return _shaped(name, _objects(_split(name, math.prod(shape), raw)), shape)
    dtype = _known(name, datatype).dtype
    wanted = math.prod(shape) * dtype.itemsize
    if len(raw) != wanted:
        raise InvalidArgument(name, f"must have {wanted} bytes of {datatype} for shape {list(shape)}, not {len(raw)}")
    return _shaped(name, np.frombuffer(raw, dtype), shape)


def encode_raw(tensor: Tensor) -> bytes:
    """A tensor's raw contents."""
    if tensor.datatype == BYTES:
        return b"".join(_LENGTH.pack(len(element)) + element for element in tensor.array.flat)
    return tensor.array.astype(_NUMBERS[tensor.datatype].dtype, copy=False).tobytes()


def decode_typed(name: str, datatype: str, shape: tuple[int, ...], contents: pb.InferTensorContents) -> NDArray[Any]:
    """The elements in typed contents.

    Raises:
        InvalidArgument: The data type is unknown or has no typed contents, the elements are in the field of another
            type or beyond its range, or they do not fit the shape.
    """
    field = "bytes_contents" if datatype == BYTES else _known(name, datatype).field
    if field is None:
        raise InvalidArgument(name, f"must have raw contents; {datatype} has no typed ones")
    strange = [other.name for other, _ in contents.ListFields() if other.name != field]
    if strange:
        raise InvalidArgument(name, f"must have its {datatype} elements in {field}, not in {strange[0]}")
    values = getattr(contents, field)
    if len(values) != math.prod(shape):
        raise InvalidArgument(name, f"must have {math.prod(shape)} elements for shape {list(shape)}, not {len(values)}")
    if datatype == BYTES:
        return _shaped(name, _objects(list(values)), shape)
    dtype = _NUMBERS[datatype].dtype
    if dtype.kind in "iu" and values:  # a field holds the widest type of its family
        limits = np.iinfo(dtype)
        if min(values) < limits.min or max(values) > limits.max:
            raise InvalidArgument(name, f"must have elements between {limits.min} and {limits.max}, as {datatype} has")
    return _shaped(name, np.array(values, dtype), shape)


def encode_typed(tensor: Tensor) -> pb.InferTensorContents:
    """A tensor's typed contents; FP16 has none."""
    field = "bytes_contents" if tensor.datatype == BYTES else _NUMBERS[tensor.datatype].field
    contents = pb.InferTensorContents()
    getattr(contents, str(field)).extend(tensor.array.reshape(-1).tolist())
    return contents


def _known(name: str, datatype: str) -> _Numbers:
    if datatype not in _NUMBERS:
        raise InvalidArgument(name, f"must have a datatype of {', '.join(DATATYPES)}, not {datatype[:16]!r}")
    return _NUMBERS[datatype]


def _split(name: str, count: int, raw: bytes) -> list[bytes]:
    elements: list[bytes] = []
    place = 0
    while place < len(raw):
        end = place + _LENGTH.size
        if end <= len(raw):
            end += _LENGTH.unpack_from(raw, place)[0]
        if end > len(raw) or place + _LENGTH.size > len(raw):
            raise InvalidArgument(name, f"element {len(elements)} must end within its {len(raw)} bytes of raw contents")
        elements.append(raw[place + _LENGTH.size : end])
        place = end
    if len(elements) != count:
        raise InvalidArgument(name, f"must have {count} elements in its raw contents, not {len(elements)}")
    return elements


def _objects(elements: Sequence[bytes]) -> NDArray[Any]:
    """An array of objects; numpy's own strings would lose the zeros at their ends."""
    array = np.empty(len(elements), object)
    array[:] = elements
    return array


def _shaped(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        return array.reshape(shape)
    except ValueError as error:  # dimensions beside a zero that are larger than those of an array may be
        raise InvalidArgument(name, f"cannot have shape {list(shape)}") from error
