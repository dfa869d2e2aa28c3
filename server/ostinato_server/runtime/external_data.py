"""Taking into an ONNX graph the tensors that it keeps in files beside it, without an ONNX library.

A graph may keep a tensor outside its own file, at a path that it names. ONNX Runtime opens whatever that path leads to,
and maps it into memory for as long as it serves: another path would get out of the bundle, and who writes to the file
would take the server down. So the tensors are put into the graph, from bytes that were verified, before it is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf.message import DecodeError

from ostinato_server.runtime.onnx_schema import MESSAGES, Model

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
    model = Model()
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
    for number in MESSAGES[message.DESCRIPTOR.name]:
        for below in getattr(message, f"field_{number}"):
            yield from _tensors(below)
