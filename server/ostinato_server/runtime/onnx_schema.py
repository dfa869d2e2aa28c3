"""As much of ONNX's schema as the server reads or writes; protobuf carries the rest along unread.

A message that occurs once is declared as one that repeats, which has the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto

MESSAGES: Mapping[str, Mapping[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
    "Graph": {1: "Node", 5: "Tensor", 11: "Value", 12: "Value", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "Entry"},
    "Entry": {},
    "Value": {2: "Type"},
    "Type": {1: "TensorType"},
    "TensorType": {},
}
"""Which messages of onnx.proto hold which others, by field number, as fields called ``field_N``.

``Entry`` is its ``StringStringEntryProto``, ``Value`` its ``ValueInfoProto``.
"""

_VALUES: Mapping[str, Mapping[str, tuple[int, _Field.Type.ValueType, _Field.Label.ValueType]]] = {
    "Graph": {"name": (2, _Field.TYPE_STRING, _Field.LABEL_OPTIONAL)},
    "Node": {
        "input": (1, _Field.TYPE_STRING, _Field.LABEL_REPEATED),
        "output": (2, _Field.TYPE_STRING, _Field.LABEL_REPEATED),
        "op_type": (4, _Field.TYPE_STRING, _Field.LABEL_OPTIONAL),
    },
    "Attribute": {
        "name": (1, _Field.TYPE_STRING, _Field.LABEL_OPTIONAL),
        "i": (3, _Field.TYPE_INT64, _Field.LABEL_OPTIONAL),
        "type": (20, _Field.TYPE_INT32, _Field.LABEL_OPTIONAL),
    },
    "Tensor": {
        "raw_data": (9, _Field.TYPE_BYTES, _Field.LABEL_OPTIONAL),
        "data_location": (14, _Field.TYPE_INT32, _Field.LABEL_OPTIONAL),
    },
    "Entry": {
        "key": (1, _Field.TYPE_BYTES, _Field.LABEL_OPTIONAL),
        "value": (2, _Field.TYPE_BYTES, _Field.LABEL_OPTIONAL),
    },
    "Value": {"name": (1, _Field.TYPE_STRING, _Field.LABEL_OPTIONAL)},
    "TensorType": {"element": (1, _Field.TYPE_INT32, _Field.LABEL_OPTIONAL)},
}
"""Number, type and label of the fields that are read or written."""

ATTRIBUTE_INTEGER, ATTRIBUTE_GRAPH = 2, 5
"""Types of an attribute."""


def _classes() -> dict[str, type[Any]]:
    file = descriptor_pb2.FileDescriptorProto(name="ostinato/onnx.proto", package="ostinato.onnx")
    for name, messages in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, below in messages.items():
            message.field.add(
                name=f"field_{number}",
                number=number,
                label=_Field.LABEL_REPEATED,
                type=_Field.TYPE_MESSAGE,
                type_name=f".ostinato.onnx.{below}",
            )
        for value, (number, kind, label) in _VALUES.get(name, {}).items():
            message.field.add(name=value, number=number, label=label, type=kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = {name: pool.FindMessageTypeByName(f"ostinato.onnx.{name}") for name in MESSAGES}
    return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in found.items()}


CLASSES = _classes()
"""The class of each message; all live in a pool of their own, beside another library's ONNX."""

Model = CLASSES["Model"]
