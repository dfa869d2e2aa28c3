"""Requests over grpc.aio, bytes in and bytes out.

At 64 streams (char-lm, two cores, 4,700 messages a second) this takes 0.3 cores, half of it in the event loop's thread:
30 µs a message, nearly all of it grpc.aio's own. ``read()`` in place of ``async for``, and uvloop, made no difference
that could be told from noise, so neither is used; where messages are many, ``--processes`` shares them out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from ostinato_bench.load import Call
from ostinato_bench.workloads import Workload
from ostinato_client.channels import ChannelOptions, call_metadata, deadline, proxy_options, refuse_open_token
from ostinato_client.cli.options import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How requests are made.

    Attributes:
        connections: Over how many connections, in turn.
        timeout: Seconds allowed for a request; the server is told.
        client_id: Who calls, for the server's fair share; the address when None.
        pause: Seconds without reading after each message; such a client takes in as little ahead as HTTP/2 lets it.
    """

    connections: int = 1
    timeout: float = 60.0
    client_id: str | None = None
    pause: float = 0.0


def open_channels(connection: Connection, manner: Manner) -> list[grpc.aio.Channel]:
    """So many connections, each of its own.

    Raises:
        ValueError: The connection's options do not go together, or a token would go in plain text.
        OSError: A file of certificates or the token's cannot be read.
    """
    options: ChannelOptions = [
        ("grpc.enable_retries", 0),  # retries would hide rejections, which are among the figures
        ("grpc.use_local_subchannel_pool", 1),  # or gRPC would share one connection
        *proxy_options(connection.target),
    ]
    if manner.pause:
        options += [("grpc.http2.lookahead_bytes", 1), ("grpc.http2.bdp_probe", 0)]
    credentials = connection.credentials()
    refuse_open_token(connection.token(), encrypted=credentials is not None, allowed=connection.insecure_token)
    if credentials is None:
        return [grpc.aio.insecure_channel(connection.target, options) for _ in range(manner.connections)]
    return [grpc.aio.secure_channel(connection.target, credentials, options) for _ in range(manner.connections)]


def caller(channels: Sequence[grpc.aio.Channel], connection: Connection, workload: Workload, manner: Manner) -> Call:
    """What makes a workload's requests over these channels, in turn."""
    metadata = call_metadata(manner.client_id, connection.token())
    methods: list[Any] = [
        channel.unary_stream(workload.method) if workload.streaming else channel.unary_unary(workload.method)
        for channel in channels
    ]
    tokens_of, timeout, pause = workload.tokens, deadline(None, manner.timeout), manner.pause

    async def stream(number: int) -> AsyncGenerator[int, None]:
        call = methods[number % len(methods)](workload.request(number), timeout=timeout, metadata=metadata)
        try:
            async for message in call:
                if tokens := tokens_of(message):
                    yield tokens
                if pause:
                    await asyncio.sleep(pause)
        finally:
            call.cancel()  # nothing happens to one that has ended

    async def single(number: int) -> AsyncGenerator[int, None]:
        yield tokens_of(
            await methods[number % len(methods)](workload.request(number), timeout=timeout, metadata=metadata)
        )

    return stream if workload.streaming else single
