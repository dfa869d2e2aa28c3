"""What befalls a server: connections that say nothing or stop reading, storms of them, models that come and go."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from random import Random

import grpc
from google.protobuf.message import Message
from tests.soak.clients import CALL_SECONDS, FAST_OPTIONS, Clients
from tests.soak.work import tensor_request

from ostinato.v1 import generation_pb2, models_pb2
from ostinato.v1.models_pb2_grpc import ModelServiceStub

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HALF_OPEN = 20
"""Connections that stand and do nothing, at any time."""

RETRY_SECONDS = 0.5

STORM = 40
"""Connections that come at once."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame of HTTP/2 (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _literal(text: bytes) -> bytes:
    return bytes((len(text),)) + text


def unread_call(method: bytes, *messages: Message) -> bytes:
    """A call with requests, from a client that then reads nothing (HPACK, RFC 7541)."""
    headers = b"".join(
        (
            b"\x83\x86",  # :method POST, :scheme http
            b"\x44" + _literal(method),
            b"\x41" + _literal(b"localhost"),
            b"\x5f" + _literal(b"application/grpc"),
            b"\x40" + _literal(b"te") + _literal(b"trailers"),
        )
    )
    body = b"".join(struct.pack(">BI", 0, each.ByteSize()) + each.SerializeToString() for each in messages)
    return PREFACE + frame(4, 0, 0, b"") + frame(1, 4, 1, headers) + frame(0, 1, 1, body)


def unread_generation() -> bytes:
    """Asks for more than a connection takes in unread."""
    request = generation_pb2.GenerateRequest(
        model="char-lm",
        prompt="The cat",
        top_alternatives=20,
        stopping=generation_pb2.StoppingParameters(max_tokens=5000),
    )
    return unread_call(b"/ostinato.v1.GenerationService/Generate", request)


def unread_stream() -> bytes:
    """Asks for as much side by side."""
    requests = [tensor_request(str(number), "char-lm", "prompt", "The cat") for number in range(3)]
    for request in requests:
        request.parameters["max_tokens"].int64_param = 5000
    return unread_call(b"/inference.GRPCInferenceService/ModelStreamInfer", *requests)


STAGES = (
    b"",
    PREFACE[:10],
    PREFACE,
    PREFACE + frame(4, 0, 0, b""),
    PREFACE + frame(4, 0, 0, b"") + frame(1, 0, 1, b"\x83\x86"),  # headers that do not end
    unread_generation(),
    unread_stream(),
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
)
"""How far a client gets before it falls silent."""


async def half_open(target: str, random: Random) -> None:
    """Keeps connections open that got stuck at some stage, each for some seconds, until it is cancelled."""
    async with asyncio.TaskGroup() as group:
        for _ in range(HALF_OPEN):
            group.create_task(_stuck(target, random))


async def _stuck(target: str, random: Random) -> None:
    host, _, port = target.rpartition(":")
    loop = asyncio.get_running_loop()
    while True:
        with socket.socket() as connection:
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            if random.random() < 0.5:  # it ends with a reset, as a machine that goes away does
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            try:
                await loop.sock_connect(connection, (host, int(port)))
                await loop.sock_sendall(connection, random.choice(STAGES))
                await asyncio.sleep(random.uniform(0.2, 5.0))
            except OSError:  # the server hung up first
                await asyncio.sleep(0.1)


async def storms(target: str, clients: Clients, every: float, random: Random) -> None:
    """Now and then many clients connect at once, ask for something and go, some of them without waiting for it."""
    while True:
        await asyncio.sleep(every * random.uniform(0.5, 1.5))
        async with asyncio.TaskGroup() as group:
            for _ in range(STORM):
                group.create_task(_in_and_out(target, clients))


async def _in_and_out(target: str, clients: Clients) -> None:
    async with grpc.aio.insecure_channel(target, FAST_OPTIONS) as channel:
        await clients.any(channel, channel)


async def swaps(target: str, every: float, random: Random) -> None:
    """Versions 1 and 2 of the language model change places, and the classifier goes and comes back."""
    async with grpc.aio.insecure_channel(target, FAST_OPTIONS) as channel:
        serving, other = 1, 2
        while True:
            await asyncio.sleep(every * random.uniform(0.5, 1.5))
            await load(channel, "char-lm", other)
            await unload(channel, "char-lm", serving)
            serving, other = other, serving
            if random.random() < 0.25:
                await unload(channel, "sentiment", None)
                await load(channel, "sentiment", None)


async def settle(target: str) -> None:
    """Leaves every model served, of the language model version 1 only, wherever `swaps` was cancelled."""
    async with grpc.aio.insecure_channel(target, FAST_OPTIONS) as channel:
        for model, version in (("sentiment", None), ("char-lm", 1), ("char-lm", 2)):
            await load(channel, model, version)
        await unload(channel, "char-lm", 2)


async def load(channel: grpc.aio.Channel, model: str, version: int | None) -> None:
    """Loads a model's version."""
    request = models_pb2.LoadModelRequest(model=model, version=version)
    await _admitted(lambda: ModelServiceStub(channel).LoadModel(request, timeout=CALL_SECONDS))


async def unload(channel: grpc.aio.Channel, model: str, version: int | None) -> None:
    """Unloads a model's version, or all of them."""
    request = models_pb2.UnloadModelRequest(model=model, version=version)
    await _admitted(lambda: ModelServiceStub(channel).UnloadModel(request, timeout=CALL_SECONDS))


async def _admitted(call: Callable[[], Awaitable[object]]) -> None:
    """Makes a call again until it is let in: all clients here are one caller, and its calls are bounded."""
    while True:
        try:
            await call()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return
