"""Sends conversations, many at a time, and notes how each ended."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from tests.fuzz.rpcs import Rpc
from tests.fuzz.traffic import Conversation

from ostinato.inference import grpc_service_pb2 as inference

DEADLINE_SECONDS = 60.0
"""Far more than any call takes: one that gets there hangs."""

MAX_RESPONSES = 16
"""After so many the client has seen enough and leaves; a valid request may ask for ten thousand characters."""

LEAVES_AT_ONCE = 0.02
"""Share of the streams that the client leaves without reading."""

LEFT = "left by the client"

CLIENT_FAULT = "Internal error from Core"
"""grpc.aio's client says so where the server ends a stream while the client is sending: the server's own status is
lost, and the conversation is held again, more slowly."""

ATTEMPTS = 10
PAUSE_SECONDS = 0.01

ACCEPTED = frozenset({"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED", LEFT})
"""How a call may end whatever was sent; all else says that the server failed, hung, or did not see that it was asked
for something wrong."""

OPTIONS = (("grpc.enable_retries", 0), ("grpc.max_receive_message_length", -1))


@dataclass(slots=True)
class Found:
    """What became of the conversations.

    Attributes:
        requests: How many requests were sent.
        statuses: How many calls ended how.
        faults: The first calls that ended as none may: how, and what was sent.
        slowest: Seconds of the longest call.
        seconds: How long all took.
    """

    requests: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[str, Conversation]] = field(default_factory=list)
    slowest: float = 0.0
    seconds: float = 0.0

    def note(self, status: str, detail: str, conversation: Conversation, seconds: float) -> None:
        """Notes a call."""
        self.requests += len(conversation)
        self.statuses[status] += 1
        self.slowest = max(self.slowest, seconds)
        if status not in ACCEPTED and len(self.faults) < 20:
            self.faults.append((f"{status}: {detail}", conversation))


async def send(target: str, rpc: Rpc, conversations: Iterator[Conversation], concurrency: int, found: Found) -> None:
    """Sends all of them, so many at a time."""
    began = time.perf_counter()
    async with grpc.aio.insecure_channel(target, OPTIONS) as channel, asyncio.TaskGroup() as group:
        for number in range(concurrency):
            group.create_task(_work(channel, rpc, conversations, found, Random(number)))
    found.seconds += time.perf_counter() - began


async def _work(
    channel: grpc.aio.Channel, rpc: Rpc, conversations: Iterator[Conversation], found: Found, random: Random
) -> None:
    begin = _methods(channel, rpc)
    for conversation in conversations:
        for attempt in range(ATTEMPTS):
            began = time.perf_counter()
            detail = ""
            try:
                status = await _converse(begin, rpc, _paced(rpc, conversation, attempt * PAUSE_SECONDS), random)
            except grpc.aio.AioRpcError as error:
                status, detail = error.code().name, error.details() or ""
            if detail != CLIENT_FAULT:
                break
        found.note(status, detail, conversation, time.perf_counter() - began)


def _paced(rpc: Rpc, conversation: Conversation, pause: float) -> bytes | AsyncIterator[bytes]:
    """What a call takes: a request, or several with so many seconds before each."""
    if not rpc.client_streams:
        return conversation[0]

    async def requests() -> AsyncIterator[bytes]:
        for request in conversation:
            await asyncio.sleep(pause)
            yield request

    return requests()


async def _converse(begin: Any, rpc: Rpc, requests: bytes | AsyncIterator[bytes], random: Random) -> str:
    """Makes a call and reads its responses; gives how it ended."""
    call = begin(requests, timeout=DEADLINE_SECONDS)
    if not rpc.server_streams:
        rpc.response.FromString(await call)
        return "OK"
    try:
        if random.random() < LEAVES_AT_ONCE:
            return LEFT
        read = 0
        async for data in call:
            response = rpc.response.FromString(data)
            if _tells_of_failure(response):
                return "INTERNAL in a message"
            read += 1
            if read == MAX_RESPONSES or _never_ends(response):
                return LEFT
        return "OK"
    finally:
        call.cancel()


def _methods(channel: grpc.aio.Channel, rpc: Rpc) -> Any:
    """The call on bytes."""
    kinds = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, True): channel.stream_stream,
    }
    return kinds[rpc.client_streams, rpc.server_streams](rpc.path)


def _tells_of_failure(response: Message) -> bool:
    """Whether a message says what a status would have to say otherwise."""
    return isinstance(response, inference.ModelStreamInferResponse) and "internal error" in response.error_message


def _never_ends(response: Message) -> bool:
    """Whether the stream goes on for as long as the client listens."""
    return isinstance(response, health_pb2.HealthCheckResponse)
