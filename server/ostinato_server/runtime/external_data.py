"""Taking into an ONNX graph the tensors that it keeps in files beside it, without an ONNX library.

A graph may keep a tensor outside its own file, at a path that it names. ONNX Runtime opens whatever that path leads to,
and maps it into memory for as long as it serves: another path would get out of the bundle, and who writes to the file
would take the server down. So the tensors are put into the graph, from bytes that were verified, before it is opened.

Only as much of ONNX's schema is declared here as leads to those tensors; protobuf carries the rest along unread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

_MESSAGES: Mapping[str, Mapping[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "Entry"},
    "Entry": {},
}
"""Which messages of onnx.proto hold which others, by field number; ``Entry`` is its ``StringStringEntryProto``."""

_VALUES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "Tensor": {
        "raw_data": (9, descriptor_pb2.FieldDescriptorProto.TYPE_BYTES),
        "data_location": (14, descriptor_pb2.FieldDescriptorProto.TYPE_INT32),
    },
    "Entry": {
        "key": (1, descriptor_pb2.FieldDescriptorProto.TYPE_BYTES),
        "value": (2, descriptor_pb2.FieldDescriptorProto.TYPE_BYTES),
    },
}
"""Number and type of the fields that are read or written."""

_EXTERNAL = 1
"""The ``data_location`` of a tensor that is kept elsewhere."""


def self_contained(content: bytes, read: Callable[[str], bytes]) -> bytes:
    """A graph that needs no other file.

    Args:
        content: A serialized ``onnx.ModelProto``.
        read: Gives the content of a file that the graph names; whatever it raises goes to the caller.

    Raises:
        ValueError: It is no such message, or names a part of a file that is not there.
    """
    model = _schema()()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise ValueError("it is no protobuf message") from error
    kept_elsewhere = [tensor for tensor in _tensors(model) if len(tensor.field_13)]
    if not kept_elsewhere:
        return content
    files: dict[str, bytes] = {}
    for tensor in kept_elsewhere:
        if tensor.data_location == _EXTERNAL:
            facts = {entry.key: entry.value for entry in tensor.field_13}
            name = facts.get(b"location", b"").decode("utf-8", "backslashreplace")
            if name not in files:
                files[name] = read(name)
            tensor.raw_data = _part(files[name], facts, name)
            tensor.ClearField("data_location")
        tensor.ClearField("field_13")
    complete: bytes = model.SerializeToString()
    return complete


def _part(content: bytes, facts: Mapping[bytes, bytes], name: str) -> bytes:
    offset = int(facts.get(b"offset", b"0"))
    length = int(facts.get(b"length", b"%d" % max(len(content) - offset, 0)))
    if not 0 <= offset <= offset + length <= len(content):
        raise ValueError(f"a tensor is bytes {offset} to {offset + length} of {name}, which has {len(content)}")
    return content[offset : offset + length]


def _tensors(message: Any) -> Iterator[Any]:
    """The tensors below a message, in graphs inside graphs too; protobuf reads no deeper than a hundred messages."""
    if message.DESCRIPTOR.name == "Tensor":
        yield message
        return
    for number in _MESSAGES[message.DESCRIPTOR.name]:
        for below in getattr(message, f"field_{number}"):
            yield from _tensors(below)


@cache
def _schema() -> type[Any]:
    """The class of a model. A message that occurs once is declared as one that repeats, which has the same bytes."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="ostinato/external_data.proto", package="ostinato.onnx")
    for name, messages in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, below in messages.items():
            message.field.add(
                name=f"field_{number}",
                number=number,
                label=field.LABEL_REPEATED,
                type=field.TYPE_MESSAGE,
                type_name=f".ostinato.onnx.{below}",
            )
        for value, (number, kind) in _VALUES.get(name, {}).items():
            message.field.add(name=value, number=number, label=field.LABEL_OPTIONAL, type=field.Type.ValueType(kind))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    schema: type[Message] = message_factory.GetMessageClass(pool.FindMessageTypeByName("ostinato.onnx.Model"))
    return schema
