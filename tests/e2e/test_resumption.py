"""A server that is killed and started again changes no character of any stream."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.e2e.conftest import start_server, stop_server

from ostinato_client import AsyncClient

STREAMS, CHARACTERS = 64, 600


@pytest.mark.slow
async def test_kill_9_under_64_streams_changes_no_token_of_any(repository: Path, tmp_path: Path) -> None:
    server = await asyncio.to_thread(start_server, repository, tmp_path / "first.log")
    port = server.target.rpartition(":")[2]
    begun = asyncio.Event()
    running = 0

    async def read(client: AsyncClient, seed: int) -> list[tuple[str, float]]:
        nonlocal running
        tokens: list[tuple[str, float]] = []
        async with client.generate("The cat", max_chars=CHARACTERS, seed=seed, logprobs=True) as stream:
            async for chunk in stream:
                if not tokens:
                    running += 1
                    if running == STREAMS:
                        begun.set()
                tokens += [(token.text, token.logprob) for token in chunk.tokens]
        return tokens

    async with AsyncClient(server.target, timeout=120) as client:
        streams = [asyncio.create_task(read(client, seed)) for seed in range(STREAMS)]
        await begun.wait()
        server.process.kill()
        await asyncio.to_thread(server.process.wait, 60)
        unfinished = sum(not stream.done() for stream in streams)
        again = await asyncio.to_thread(start_server, repository, tmp_path / "second.log", "--port", port)
        broken = await asyncio.gather(*streams)
        whole = await asyncio.gather(*(read(client, seed) for seed in range(STREAMS)))

    assert unfinished > STREAMS / 2
    assert broken == whole
    assert all(len(tokens) == CHARACTERS for tokens in broken)
    assert server.process.stdout is not None
    server.process.stdout.close()
    assert await asyncio.to_thread(stop_server, again) == 0
