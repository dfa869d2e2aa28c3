"""A server that is killed and started again changes no token of any stream, whatever the tokenizer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from tests.e2e.conftest import start_server, stop_server
from tests.five_tokenizers import TOKENIZERS, build_repository
from tests.streams import read_all, text

from ostinato_client import AsyncClient, Chunk, Client, TokenDetail, Translation

STREAMS, CHARACTERS = 64, 600
TEXTS, SENTENCES = 4, 60


def tokens(chunks: list[Chunk]) -> list[TokenDetail]:
    """The tokens, each with its log-probability and the alternatives to it."""
    return [token for chunk in chunks for token in chunk.tokens]


@pytest.mark.slow
async def test_kill_9_under_64_streams_changes_no_token_of_any(repository: Path, tmp_path: Path) -> None:
    await kill_under(repository, tmp_path, ["char-lm"], STREAMS, CHARACTERS)


@pytest.mark.slow
async def test_kill_9_changes_no_token_of_any_type_of_tokenizer(tmp_path: Path) -> None:
    repository = await asyncio.to_thread(build_repository, tmp_path / "five")
    await kill_under(repository, tmp_path, list(TOKENIZERS), 2, 5000)


async def kill_under(repository: Path, folder: Path, models: list[str], count: int, length: int) -> None:
    """Kills a server under so many streams of each model, starts it again, and compares them with undisturbed ones."""
    server = await asyncio.to_thread(start_server, repository, folder / "first.log")
    port = server.target.rpartition(":")[2]
    asked = {"max_chars": length, "logprobs": True, "top_alternatives": 2}
    killed = asyncio.Event()
    resumed: list[str] = []
    begun = [asyncio.Event() for _ in range(count * len(models))]
    async with AsyncClient(server.target, timeout=120) as client:
        streams = [
            asyncio.create_task(read_on(client, model, seed, begun[place * count + seed], killed, resumed, **asked))
            for place, model in enumerate(models)
            for seed in range(count)
        ]
        await asyncio.gather(*(each.wait() for each in begun))
        server.process.kill()
        await asyncio.to_thread(server.process.wait, 60)
        killed.set()
        again = await asyncio.to_thread(start_server, repository, folder / "second.log", "--port", port)
        broken = await asyncio.gather(*streams)
        undisturbed = [read_all(client, "The cat", count, model=model, **asked) for model in models]
        whole = [chunks for of_model in await asyncio.gather(*undisturbed) for chunks in of_model]

    assert all(resumed.count(model) >= count / 2 for model in models), resumed
    assert [tokens(chunks) for chunks in broken] == [tokens(chunks) for chunks in whole]
    assert [text(chunks) for chunks in broken] == [text(chunks) for chunks in whole]
    assert all(len(tokens(chunks)) == length for chunks in broken)
    assert server.process.stdout is not None
    server.process.stdout.close()
    assert await asyncio.to_thread(stop_server, again) == 0


async def read_on(
    client: AsyncClient,
    model: str,
    seed: int,
    begun: asyncio.Event,
    killed: asyncio.Event,
    resumed: list[str],
    **asked: Any,
) -> list[Chunk]:
    """Reads the beginning of a stream, and the rest once the server is gone, which holds it back from a slow reader."""
    chunks: list[Chunk] = []
    async with client.generate("The cat", model=model, seed=seed, **asked) as stream:
        async for chunk in stream:
            chunks.append(chunk)
            begun.set()
            await killed.wait()
        if stream.resumptions:
            resumed.append(model)
    return chunks


TURNS = (("The cat", 200), (" sat on", 5000), ("", 150))


async def talk(
    client: AsyncClient, model: str, begun: asyncio.Event | None = None, killed: asyncio.Event | None = None
) -> list[tuple[str, list[TokenDetail]]]:
    """Text and tokens of each turn; waits in the second one until the server is gone, if it is to be killed."""
    answers: list[tuple[str, list[TokenDetail]]] = []
    async with client.session(model=model, logprobs=True, top_alternatives=2) as session:
        for seed, (fed, length) in enumerate(TURNS):
            chunks: list[Chunk] = []
            turn = session.send(fed, max_chars=length, seed=seed)
            async for chunk in turn:
                chunks.append(chunk)
                if begun is not None and killed is not None and seed == 1:
                    begun.set()
                    await killed.wait()
            assert turn.resumptions == (begun is not None and seed == 1)
            answers.append((text(chunks), tokens(chunks)))
    return answers


def talk_blocking(
    target: str, model: str, begun: Callable[[], object], killed: Event
) -> list[tuple[str, list[TokenDetail]]]:
    """The same with the sync client."""
    answers: list[tuple[str, list[TokenDetail]]] = []
    with (
        Client(target, timeout=120) as client,
        client.session(model=model, logprobs=True, top_alternatives=2) as session,
    ):
        for seed, (fed, length) in enumerate(TURNS):
            chunks: list[Chunk] = []
            turn = session.send(fed, max_chars=length, seed=seed)
            for chunk in turn:
                chunks.append(chunk)
                if seed == 1:
                    begun()
                    killed.wait(120)
            assert turn.resumptions == (seed == 1)
            answers.append((text(chunks), tokens(chunks)))
    return answers


@pytest.mark.slow
async def test_kill_9_in_the_middle_of_sessions_changes_no_token_of_any(tmp_path: Path) -> None:
    repository = await asyncio.to_thread(build_repository, tmp_path / "five")
    server = await asyncio.to_thread(start_server, repository, tmp_path / "first.log")
    port = server.target.rpartition(":")[2]
    loop = asyncio.get_running_loop()
    killed, killed_blocking = asyncio.Event(), Event()
    begun = {name: asyncio.Event() for name in (*TOKENIZERS, "blocking")}
    async with AsyncClient(server.target, timeout=120) as client:
        talks = [asyncio.create_task(talk(client, model, begun[model], killed)) for model in TOKENIZERS]
        blocking = asyncio.to_thread(
            talk_blocking,
            server.target,
            "byte-pairs",
            lambda: loop.call_soon_threadsafe(begun["blocking"].set),
            killed_blocking,
        )
        talks.append(asyncio.create_task(blocking))
        await asyncio.gather(*(each.wait() for each in begun.values()))
        server.process.kill()
        await asyncio.to_thread(server.process.wait, 60)
        killed.set()
        killed_blocking.set()
        again = await asyncio.to_thread(start_server, repository, tmp_path / "second.log", "--port", port)
        *broken, broken_blocking = await asyncio.gather(*talks)
        whole = await asyncio.gather(*(talk(client, model) for model in TOKENIZERS))

    assert broken == whole
    assert broken_blocking == whole[list(TOKENIZERS).index("byte-pairs")]
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
