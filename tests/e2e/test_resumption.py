"""A server that is killed and started again changes no token of any stream, whatever the tokenizer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.e2e.conftest import start_server, stop_server
from tests.five_tokenizers import TOKENIZERS, build_repository
from tests.streams import read_all, text, under_way

from ostinato_client import AsyncClient, Chunk, TokenDetail

STREAMS, CHARACTERS = 64, 600


def tokens(chunks: list[Chunk]) -> list[TokenDetail]:
    """The tokens, each with its log-probability and the alternatives to it."""
    return [token for chunk in chunks for token in chunk.tokens]


@pytest.mark.slow
async def test_kill_9_under_64_streams_changes_no_token_of_any(repository: Path, tmp_path: Path) -> None:
    await kill_under(repository, tmp_path, ["char-lm"], STREAMS, CHARACTERS)


@pytest.mark.slow
async def test_kill_9_changes_no_token_of_any_type_of_tokenizer(tmp_path: Path) -> None:
    repository = await asyncio.to_thread(build_repository, tmp_path / "five")
    await kill_under(repository, tmp_path, list(TOKENIZERS), 4, 3000)


async def kill_under(repository: Path, folder: Path, models: list[str], count: int, length: int) -> None:
    """Kills a server under so many streams of each model, starts it again, and compares them with undisturbed ones."""
    server = await asyncio.to_thread(start_server, repository, folder / "first.log")
    port = server.target.rpartition(":")[2]
    asked = {"max_chars": length, "logprobs": True, "top_alternatives": 2}
    async with AsyncClient(server.target, timeout=120) as client:
        begun = await asyncio.gather(*(under_way(client, "The cat", count, model=model, **asked) for model in models))
        streams = [stream for of_model in begun for stream in of_model]
        server.process.kill()
        await asyncio.to_thread(server.process.wait, 60)
        unfinished = [sum(not stream.done() for stream in of_model) for of_model in begun]
        again = await asyncio.to_thread(start_server, repository, folder / "second.log", "--port", port)
        broken = await asyncio.gather(*streams)
        undisturbed = [read_all(client, "The cat", count, model=model, **asked) for model in models]
        whole = [chunks for of_model in await asyncio.gather(*undisturbed) for chunks in of_model]

    assert all(each > count / 2 for each in unfinished), unfinished
    assert [tokens(chunks) for chunks in broken] == [tokens(chunks) for chunks in whole]
    assert [text(chunks) for chunks in broken] == [text(chunks) for chunks in whole]
    assert all(len(tokens(chunks)) == length for chunks in broken)
    assert server.process.stdout is not None
    server.process.stdout.close()
    assert await asyncio.to_thread(stop_server, again) == 0
