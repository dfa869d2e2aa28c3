"""Messages that parse and are wrong all the same: Hypothesis draws them, field by field, from the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.fuzz.rpcs import message_class

MAX_DEPTH = 4
MAX_CHANGES = 4

MODELS = ("char-lm", "sentiment", "translation-en-fr")
TENSORS = ("prompt", "text", "max_tokens", "temperature", "top_k", "top_p", "seed", "stop", "beam_size", "attention")
DATATYPES = ("BYTES", "INT32", "FP32", "UINT64", "BOOL", "FP16", "INT64", "UINT8", "FP64", "BF16")
HOSTILE = (
    "",
    " ",
    "\0",
    "\x1b[2J\r\n\t\x7f",
    "\u202e\u200b\ufeff\ufffd\uffff",
    "e\u0301" * 50,
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "../../../etc/passwd",
    "%s%n{0}{self}",
    "'; DROP TABLE models; --",
    "-1",
    "1",
    "999999999",
    "00000000000000000001",
    "\u0661",
    "nan",
    "a" * 4096,
    "a" * 4097,
    "word " * 300,
    "\U00010348" * 2000,
    "\n" * 70_000,
)
FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-45, 3.4e38, -3.4e38, float("nan"), float("inf"), float("-inf"), 0.6, 100.0, 100.1)

_RANGES: Mapping[int, tuple[int, int]] = MappingProxyType(
    {
        **dict.fromkeys(
            (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32),
            (-(2**31), 2**31 - 1),
        ),
        **dict.fromkeys(
            (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_SINT64, FieldDescriptor.TYPE_SFIXED64),
            (-(2**63), 2**63 - 1),
        ),
        **dict.fromkeys((FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_FIXED32), (0, 2**32 - 1)),
        **dict.fromkeys((FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64), (0, 2**64 - 1)),
        FieldDescriptor.TYPE_ENUM: (-(2**31), 2**31 - 1),
    }
)

Changes = list[tuple[str, Any]]


def draw(kind: type[Message], valid: Sequence[Message], count: int, random_seed: int) -> list[bytes]:
    """Draws messages, serialised: valid ones with some fields changed, and some made of nothing but chance.

    Args:
        kind: Class of the messages.
        valid: Valid ones to change.
        count: How many; fewer come out where there are not that many.
        random_seed: The same one gives the same messages.
    """
    drawn: list[bytes] = []

    @seed(random_seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(messages(kind, valid))
    def collect(message: Message) -> None:
        drawn.append(message.SerializeToString())

    collect()
    return drawn


def messages(kind: type[Message], valid: Sequence[Message]) -> st.SearchStrategy[Message]:
    """Messages with up to four fields changed that were valid, or empty."""
    beginnings = st.one_of(st.just(kind()), *[st.just(message) for message in valid])
    return st.builds(_changed, beginnings, _changes(kind.DESCRIPTOR, MAX_DEPTH))


def _changes(descriptor: Any, depth: int) -> st.SearchStrategy[Changes]:
    fields = list(descriptor.fields)
    if not fields:
        return st.just([])
    each = st.one_of([st.tuples(st.just(field.name), _values(field, depth)) for field in fields])
    return st.lists(each, max_size=MAX_CHANGES)


def _values(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        return st.dictionaries(_scalar(key), _one(value, depth - 1), max_size=2)
    one = _one(field, depth)
    return st.lists(one, max_size=4) if field.is_repeated else one


def _one(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    """A value of a field; of a message, the changes that make it."""
    if field.message_type is None:
        return _scalar(field)
    return st.just([]) if depth <= 0 else _changes(field.message_type, depth - 1)


def _scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    match field.type:
        case FieldDescriptor.TYPE_BOOL:
            return st.booleans()
        case FieldDescriptor.TYPE_STRING:
            return st.one_of(st.sampled_from([*MODELS, *TENSORS, *DATATYPES]), _hostile(), st.text())
        case FieldDescriptor.TYPE_BYTES:
            return st.one_of(_hostile().map(str.encode), st.binary(max_size=64))
        case FieldDescriptor.TYPE_FLOAT:
            return st.one_of(st.sampled_from(FLOATS), st.floats(width=32))
        case FieldDescriptor.TYPE_DOUBLE:
            return st.one_of(st.sampled_from(FLOATS), st.floats())
        case _:
            least, most = _RANGES[field.type]
            return st.one_of(st.integers(0, 20), st.sampled_from([least, most]), st.integers(least, most))


def _hostile() -> st.SearchStrategy[str]:
    """Drawn by their numbers, since Hypothesis would print the texts themselves."""
    return st.integers(0, len(HOSTILE) - 1).map(HOSTILE.__getitem__)


def _changed(message: Message, changes: Changes) -> Message:
    copied = type(message)()
    copied.CopyFrom(message)
    for name, value in changes:
        _set(copied, name, value)
    return copied


def _set(message: Message, name: str, value: Any) -> None:
    field: Any = message.DESCRIPTOR.fields_by_name[name]
    if isinstance(value, dict):
        entries = getattr(message, name)
        made = field.message_type.fields_by_name["value"].message_type
        for key, one in value.items():
            if made is None:
                entries[key] = one
            else:
                entries[key].CopyFrom(_changed(message_class(made)(), one))
    elif field.is_repeated:
        present = list(getattr(message, name))
        if field.message_type is not None:  # those that are there are changed, and further ones made
            present += [message_class(field.message_type)() for _ in value[len(present) :]]
            value = [_changed(one, value[index]) if index < len(value) else one for index, one in enumerate(present)]
        message.ClearField(name)
        getattr(message, name).extend(value)
    elif field.message_type is not None:
        getattr(message, name).SetInParent()
        getattr(message, name).CopyFrom(_changed(getattr(message, name), value))
    else:
        setattr(message, name, value)
