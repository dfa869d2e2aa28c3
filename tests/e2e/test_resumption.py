"""A server that is killed and started again changes no character of any stream."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.e2e.conftest import start_server, stop_server
from tests.streams import read_all, under_way

from ostinato_client import AsyncClient, Chunk

STREAMS, CHARACTERS = 64, 600


def tokens(chunks: list[Chunk]) -> list[tuple[str, float]]:
    """Text and log-probability of each."""
    return [(token.text, token.logprob) for chunk in chunks for token in chunk.tokens]


@pytest.mark.slow
async def test_kill_9_under_64_streams_changes_no_token_of_any(repository: Path, tmp_path: Path) -> None:
    server = await asyncio.to_thread(start_server, repository, tmp_path / "first.log")
    port = server.target.rpartition(":")[2]
    asked = {"max_chars": CHARACTERS, "logprobs": True}
    async with AsyncClient(server.target, timeout=120) as client:
        streams = await under_way(client, "The cat", STREAMS, **asked)
        server.process.kill()
        await asyncio.to_thread(server.process.wait, 60)
        unfinished = sum(not stream.done() for stream in streams)
        again = await asyncio.to_thread(start_server, repository, tmp_path / "second.log", "--port", port)
        broken = [tokens(chunks) for chunks in await asyncio.gather(*streams)]
        whole = [tokens(chunks) for chunks in await read_all(client, "The cat", STREAMS, **asked)]

    assert unfinished > STREAMS / 2
    assert broken == whole
    assert all(len(each) == CHARACTERS for each in broken)
    assert server.process.stdout is not None
    server.process.stdout.close()
    assert await asyncio.to_thread(stop_server, again) == 0
