"""Streams that are all under way, for tests that disturb the server below them."""

from __future__ import annotations

import asyncio
from typing import Any

from ostinato_client import AsyncClient, Chunk


async def read(client: AsyncClient, prompt: str, seed: int, begun: asyncio.Event, **options: Any) -> list[Chunk]:
    """Reads a stream to its end, and says when it has brought something."""
    chunks: list[Chunk] = []
    async with client.generate(prompt, seed=seed, **options) as stream:
        async for chunk in stream:
            chunks.append(chunk)
            begun.set()
    return chunks


async def read_all(client: AsyncClient, prompt: str, count: int, **options: Any) -> list[list[Chunk]]:
    """Reads streams with the seeds from 0 on, all at once, to their ends."""
    return await asyncio.gather(*(read(client, prompt, seed, asyncio.Event(), **options) for seed in range(count)))


async def under_way(client: AsyncClient, prompt: str, count: int, **options: Any) -> list[asyncio.Task[list[Chunk]]]:
    """Begins the streams that `read_all` reads; returns once each has brought something."""
    begun = [asyncio.Event() for _ in range(count)]
    tasks = [asyncio.create_task(read(client, prompt, seed, each, **options)) for seed, each in enumerate(begun)]
    await asyncio.gather(*(each.wait() for each in begun))
    return tasks


def text(chunks: list[Chunk]) -> str:
    """What a stream wrote."""
    return "".join(chunk.text for chunk in chunks)
