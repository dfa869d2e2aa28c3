"""Whose request it is, and how urgent."""

from __future__ import annotations

from types import MappingProxyType

from ostinato.v1 import generation_pb2
from ostinato_server.engine.request import Priority, Standing
from ostinato_server.errors import InvalidArgument
from ostinato_server.rpc.call import CLIENT_ID_KEY, Call

MAX_CLIENT_ID_CHARACTERS = 128

PRIORITIES = MappingProxyType(
    {
        generation_pb2.PRIORITY_UNSPECIFIED: Priority.NORMAL,
        generation_pb2.PRIORITY_HIGH: Priority.HIGH,
        generation_pb2.PRIORITY_NORMAL: Priority.NORMAL,
        generation_pb2.PRIORITY_LOW: Priority.LOW,
    }
)


def read_standing(priority: generation_pb2.Priority.ValueType, call: Call) -> Standing:
    """What decides a request's turn.

    Args:
        priority: The class that it asks for.
        call: What it is a part of.

    Raises:
        InvalidArgument: There is no such class, or the client's name is too long.
    """
    if priority not in PRIORITIES:
        raise InvalidArgument("priority", f"must be PRIORITY_HIGH, PRIORITY_NORMAL or PRIORITY_LOW, not {priority}")
    return Standing(PRIORITIES[priority], _client(call))


def _client(call: Call) -> str:
    """Who the call is proven to be from, or else says that it is from, or else the host that it comes from."""
    if call.caller is not None and call.caller.name is not None:
        return call.caller.key
    if len(call.client_id) > MAX_CLIENT_ID_CHARACTERS:
        raise InvalidArgument(
            f"metadata {CLIENT_ID_KEY}",
            f"must have at most {MAX_CLIENT_ID_CHARACTERS} characters, not {len(call.client_id)}",
        )
    return f"id:{call.client_id}" if call.client_id else call.peer
