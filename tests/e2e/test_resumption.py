"""A server that is killed and started again changes no character of any stream."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from tests.e2e.conftest import start_server, stop_server
from tests.streams import read_all, under_way

from ostinato_client import AsyncClient, Chunk, Translation

STREAMS, CHARACTERS = 64, 600
TEXTS, SENTENCES = 4, 60


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


@pytest.mark.slow
async def test_kill_9_in_the_middle_of_texts_changes_no_sentence_of_any(repository: Path, tmp_path: Path) -> None:
    server = await asyncio.to_thread(start_server, repository, tmp_path / "first.log")
    port = server.target.rpartition(":")[2]
    texts = [
        "\n".join(f"Text {text}. The cat sees {number} dogs!" for number in range(SENTENCES // 2))
        for text in range(TEXTS)
    ]
    async with AsyncClient(server.target, timeout=240) as client:
        streams = [client.translate(text) for text in texts]
        read = [[await anext(stream) for _ in range(30)] for stream in streams]
        server.process.kill()
        await asyncio.to_thread(server.process.wait, 60)
        again = await asyncio.to_thread(start_server, repository, tmp_path / "second.log", "--port", port)
        for stream, tokens_read in zip(streams, read, strict=True):
            tokens_read.extend([token async for token in stream])
        broken = [await stream.result() for stream in streams]
        whole = [await client.translate(text).result() for text in texts]

    assert sum(stream.resumptions > 0 for stream in streams) > TEXTS / 2
    assert [result.text for result in broken] == [result.text for result in whole]
    for result, expected, tokens_read in zip(broken, whole, read, strict=True):
        assert len(result.sentences) == SENTENCES
        assert result.sentences == expected.sentences
        assert same_attention(result, expected)
        assert "".join(token.text for token in tokens_read) == result.text
    assert server.process.stdout is not None
    server.process.stdout.close()
    assert await asyncio.to_thread(stop_server, again) == 0


def same_attention(one: Translation, other: Translation) -> bool:
    """Whether each sentence has the same weights, to the last bit."""
    return all(
        np.array_equal(left.attention, right.attention)  # type: ignore[arg-type]
        for left, right in zip(one.sentences, other.sentences, strict=True)
    )
