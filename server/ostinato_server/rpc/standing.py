"""Whose request it is, and how urgent."""

from __future__ import annotations

from types import MappingProxyType

import grpc

from ostinato.v1 import generation_pb2
from ostinato_server.engine.request import Priority, Standing
from ostinato_server.errors import InvalidArgument
from ostinato_server.rpc.access import Caller, host

CLIENT_ID_KEY = "ostinato-client-id"
MAX_CLIENT_ID_CHARACTERS = 128

PRIORITIES = MappingProxyType(
    {
        generation_pb2.PRIORITY_UNSPECIFIED: Priority.NORMAL,
        generation_pb2.PRIORITY_HIGH: Priority.HIGH,
        generation_pb2.PRIORITY_NORMAL: Priority.NORMAL,
        generation_pb2.PRIORITY_LOW: Priority.LOW,
    }
)


def read_standing(
    priority: generation_pb2.Priority.ValueType,
    context: grpc.aio.ServicerContext[object, object],
    caller: Caller | None,
) -> Standing:
    """What decides a request's turn.

    Args:
        priority: The class that it asks for.
        context: Its metadata may name the client.
        caller: Who makes the call, where that is known.

    Raises:
        InvalidArgument: There is no such class, or the client's name is too long.
    """
    if priority not in PRIORITIES:
        raise InvalidArgument("priority", f"must be PRIORITY_HIGH, PRIORITY_NORMAL or PRIORITY_LOW, not {priority}")
    return Standing(PRIORITIES[priority], _client(context, caller))


def _client(context: grpc.aio.ServicerContext[object, object], caller: Caller | None) -> str:
    """Who the call is proven to be from, or else says that it is from, or else the host that it comes from."""
    if caller is not None and caller.name is not None:
        return caller.key
    for key, value in context.invocation_metadata() or ():
        if key == CLIENT_ID_KEY and isinstance(value, str) and value:
            if len(value) > MAX_CLIENT_ID_CHARACTERS:
                raise InvalidArgument(
                    f"metadata {CLIENT_ID_KEY}",
                    f"must have at most {MAX_CLIENT_ID_CHARACTERS} characters, not {len(value)}",
                )
            return f"id:{value}"
    return host(context.peer())
