"""A server that is killed and started again changes no token of any stream, whatever the tokenizer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.conftest import start_server, stop_server
from tests.five_tokenizers import TOKENIZERS, build_repository
from tests.streams import read_all, text, under_way

from ostinato_client import AsyncClient, Chunk, Client, TokenDetail

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


TURNS = (("The cat", 200), (" sat on", 2500), ("", 150))


async def talk(
    client: AsyncClient, model: str, began: asyncio.Event | None = None
) -> list[tuple[str, list[TokenDetail]]]:
    """Text and tokens of each turn; says when the second has brought something."""
    answers: list[tuple[str, list[TokenDetail]]] = []
    async with client.session(model=model, logprobs=True) as session:
        for seed, (fed, length) in enumerate(TURNS):
            chunks: list[Chunk] = []
            async for chunk in session.send(fed, max_chars=length, seed=seed):
                chunks.append(chunk)
                if began is not None and seed == 1:
                    began.set()
            answers.append((text(chunks), tokens(chunks)))
    return answers


def talk_blocking(target: str, model: str, began: Callable[[], object]) -> list[tuple[str, list[TokenDetail]]]:
    """The same with the sync client."""
    answers: list[tuple[str, list[TokenDetail]]] = []
    with Client(target, timeout=120) as client, client.session(model=model, logprobs=True) as session:
        for seed, (fed, length) in enumerate(TURNS):
            chunks: list[Chunk] = []
            for chunk in session.send(fed, max_chars=length, seed=seed):
                chunks.append(chunk)
                if seed == 1:
                    began()
            answers.append((text(chunks), tokens(chunks)))
    return answers


@pytest.mark.slow
async def test_kill_9_in_the_middle_of_sessions_changes_no_token_of_any(tmp_path: Path) -> None:
    repository = await asyncio.to_thread(build_repository, tmp_path / "five")
    server = await asyncio.to_thread(start_server, repository, tmp_path / "first.log")
    port = server.target.rpartition(":")[2]
    loop = asyncio.get_running_loop()
    async with AsyncClient(server.target, timeout=120) as client:
        began = [asyncio.Event() for _ in (*TOKENIZERS, "sync")]
        talks = [asyncio.create_task(talk(client, model, each)) for model, each in zip(TOKENIZERS, began, strict=False)]
        blocking = asyncio.to_thread(
            talk_blocking, server.target, "byte-pairs", lambda: loop.call_soon_threadsafe(began[-1].set)
        )
        talks.append(asyncio.create_task(blocking))
        await asyncio.gather(*(each.wait() for each in began))
        server.process.kill()
        await asyncio.to_thread(server.process.wait, 60)
        unfinished = sum(not each.done() for each in talks)
        again = await asyncio.to_thread(start_server, repository, tmp_path / "second.log", "--port", port)
        *broken, broken_blocking = await asyncio.gather(*talks)
        whole = await asyncio.gather(*(talk(client, model) for model in TOKENIZERS))

    assert unfinished > len(talks) / 2
    assert broken == whole
    assert broken_blocking == whole[list(TOKENIZERS).index("byte-pairs")]
    assert server.process.stdout is not None
    server.process.stdout.close()
    assert await asyncio.to_thread(stop_server, again) == 0
