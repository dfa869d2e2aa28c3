from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ostinato.inference import grpc_service_pb2 as pb
from ostinato_server.errors import InvalidArgument
from ostinato_server.rpc.open_inference.tensors import DATATYPES, Tensor, numbers, read_tensors, texts, write_tensors

NUMPY = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)


@st.composite
def tensors(draw: st.DrawFn, without: tuple[str, ...] = ()) -> Tensor:
    datatype = draw(st.sampled_from([name for name in DATATYPES if name not in without]))
    shape = draw(SHAPES)
    if datatype == "BYTES":
        elements = draw(st.lists(st.binary(max_size=6), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
        array = np.empty(len(elements), object)
        array[:] = elements
        return Tensor(draw(st.text(max_size=4)), datatype, array.reshape(shape))
    return Tensor(draw(st.text(max_size=4)), datatype, draw(arrays.arrays(np.dtype(NUMPY[datatype]), shape)))


def request_of(given_tensors: list[Tensor], *, raw: bool) -> pb.ModelInferRequest:
    """What a client would send, made from what the server would answer: the two messages have the same parts."""
    response = pb.ModelInferResponse()
    write_tensors(response, given_tensors, raw=raw)
    request = pb.ModelInferRequest(raw_input_contents=response.raw_output_contents)
    for output in response.outputs:
        given_input = request.inputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
        if not raw:
            given_input.contents.CopyFrom(output.contents)
    return request


def same(one: Tensor, other: Tensor) -> bool:
    return (one.name, one.datatype, one.array.shape) == (other.name, other.datatype, other.array.shape) and (
        one.array.tolist() == other.array.tolist() if one.datatype == "BYTES" else _bits(one) == _bits(other)
    )


def _bits(tensor: Tensor) -> bytes:
    return np.ascontiguousarray(np.where(tensor.array != tensor.array, np.nan, tensor.array)).tobytes()


@given(st.lists(tensors(), min_size=1, max_size=4))
def test_raw_contents_come_back_as_they_went(given_tensors: list[Tensor]) -> None:
    read = read_tensors(request_of(given_tensors, raw=True))
    assert all(same(one, other) for one, other in zip(read, given_tensors, strict=True))


@given(st.lists(tensors(without=("FP16",)), min_size=1, max_size=4))
def test_typed_contents_come_back_as_they_went(given_tensors: list[Tensor]) -> None:
    read = read_tensors(request_of(given_tensors, raw=False))
    assert all(same(one, other) for one, other in zip(read, given_tensors, strict=True))


@given(st.sampled_from(DATATYPES), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=70), st.binary(max_size=40))
def test_raw_contents_are_read_in_the_shape_told_or_refused(datatype: str, shape: list[int], raw: bytes) -> None:
    request = pb.ModelInferRequest(raw_input_contents=[raw])
    request.inputs.add(name="x", datatype=datatype, shape=shape)
    with suppress(InvalidArgument):
        (read,) = read_tensors(request)
        assert list(read.array.shape) == shape


def test_an_element_of_bytes_follows_its_length_in_four_bytes() -> None:
    response = pb.ModelInferResponse()
    write_tensors(response, [texts("text", ["né", ""]), numbers("n", "INT32", [1, -1])], raw=True)
    assert list(response.raw_output_contents) == [b"\3\0\0\0n\xc3\xa9\0\0\0\0", b"\1\0\0\0\xff\xff\xff\xff"]


def _typed(datatype: str, shape: list[int], **contents: list[object]) -> pb.ModelInferRequest:
    request = pb.ModelInferRequest()
    request.inputs.add(
        name="x",
        datatype=datatype,
        shape=shape,
        contents=pb.InferTensorContents(**contents),  # type: ignore[arg-type]
    )
    return request


def _raw(datatype: str, shape: list[int], *raw: bytes) -> pb.ModelInferRequest:
    request = pb.ModelInferRequest(raw_input_contents=raw)
    request.inputs.add(name="x", datatype=datatype, shape=shape)
    return request


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (_raw("FP32", [2], b"1234567"), "x: must have 8 bytes of FP32 for shape [2], not 7"),
        (_raw("BYTES", [1], b"\5\0\0\0four"), "x: element 0 must end within its 8 bytes of raw contents"),
        (_raw("BYTES", [1], b"\1\0"), "x: element 0 must end within its 2 bytes of raw contents"),
        (_raw("BYTES", [2], b"\1\0\0\0a"), "x: must have 2 elements in its raw contents, not 1"),
        (_raw("FP32", [-1], b""), "x: must have no negative dimension, not shape [-1]"),
        (_raw("FP32", [1], b"1234", b"1234"), "raw_input_contents: must have one entry for each of 1 inputs, not 2"),
        (_raw("FP32", [1] * 9, b"1234"), "x: must have at most 8 dimensions, not 9"),
        (_raw("FP32", [2**62, 2**62, 0], b""), f"x: cannot have shape [{2**62}, {2**62}, 0]"),
        (_typed("FP16", [1]), "x: must have raw contents; FP16 has no typed ones"),
        (_typed("FP32", [2], fp32_contents=[1.0]), "x: must have 2 elements for shape [2], not 1"),
        (_typed("FP32", [1], int_contents=[1]), "x: must have its FP32 elements in fp32_contents, not in int_contents"),
        (_typed("INT8", [1], int_contents=[128]), "x: must have elements between -128 and 127, as INT8 has"),
    ],
)
def test_what_does_not_fit_is_refused_naming_the_tensor(request_: pb.ModelInferRequest, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        read_tensors(request_)
    assert str(caught.value) == message


def test_raw_and_typed_contents_exclude_each_other() -> None:
    request = _typed("FP32", [1], fp32_contents=[1.0])
    request.raw_input_contents.append(b"1234")
    with pytest.raises(InvalidArgument, match="raw contents or typed contents, not both"):
        read_tensors(request)


def test_an_unknown_datatype_is_refused_naming_those_there_are() -> None:
    with pytest.raises(InvalidArgument, match=r"must have a datatype of BOOL, .*BYTES, not 'BF16'"):
        read_tensors(_raw("BF16", [1], b"12"))


def test_a_name_too_long_to_repeat_is_refused_by_its_place() -> None:
    request = pb.ModelInferRequest()
    request.inputs.add(name="x" * 65, datatype="FP32", shape=[0])
    with pytest.raises(InvalidArgument) as caught:
        read_tensors(request)
    assert str(caught.value) == "inputs[0].name: must have at most 64 characters, not 65"


def test_shared_memory_is_refused() -> None:
    request = _raw("FP32", [1], b"1234")
    request.inputs[0].parameters["shared_memory_region"].string_param = "region"
    with pytest.raises(InvalidArgument, match="shared memory"):
        read_tensors(request)
