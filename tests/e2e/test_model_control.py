"""Models change by request while a server of its own process is under load, and while it ends."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from tests.bundles import build_tiny_version
from tests.e2e.conftest import ServerProcess, start_server, stop_server

from ostinato_client import AsyncClient, ModelNotFound

STREAMS, CHARACTERS, SWAPS = 16, 300, 6


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    for version in (1, 2):
        build_tiny_version(tmp_path / "store", "generation", version)
    copytree(tmp_path / "store" / "char-lm" / "1", tmp_path / "served" / "char-lm" / "1")
    return tmp_path


@pytest.fixture
def explicit(versions: Path) -> Iterator[ServerProcess]:
    server = start_server(versions / "served", versions / "log", "--model-control", "explicit")
    yield server
    server.process.kill()
    server.process.wait(60)
    assert server.process.stdout is not None
    server.process.stdout.close()


async def test_streams_end_on_the_version_they_began_on_while_requests_swap_it(
    versions: Path, explicit: ServerProcess
) -> None:
    copytree(versions / "store" / "char-lm" / "2", versions / "served" / "char-lm" / "2")
    texts: dict[tuple[int, int], set[str]] = {}
    seen: Counter[int] = Counter()
    swapped = asyncio.Event()

    async def write(client: AsyncClient, seed: int) -> None:
        while not swapped.is_set():
            async with client.generate("The cat", max_chars=CHARACTERS, seed=seed) as stream:
                parts = [chunk.text async for chunk in stream]
                version = (await stream.summary()).version
            seen[version] += 1
            texts.setdefault((version, seed), set()).add("".join(parts))

    async with AsyncClient(explicit.target, timeout=60) as client:
        writers = [asyncio.create_task(write(client, seed)) for seed in range(STREAMS)]
        for _ in range(SWAPS):
            for there, back in ((2, 1), (1, 2)):
                await client.load_model("char-lm", version=there)
                await client.unload_model("char-lm", version=back)
                await client.generate("The cat", max_chars=50, seed=0).text()
        swapped.set()
        await asyncio.gather(*writers)
        assert [model.version for model in await client.models()] == [1]
        assert await client.unload_model("char-lm") == []
        with pytest.raises(ModelNotFound):
            await client.generate("The cat", max_chars=5).text()

    assert await asyncio.to_thread(stop_server, explicit) == 0
    assert min(seen[1], seen[2]) > 0
    assert all(len(said) == 1 for said in texts.values()), (
        "a version says one thing for a seed, whatever comes and goes"
    )
    assert {len(text) for said in texts.values() for text in said} == {CHARACTERS}
    both = [seed for seed in range(STREAMS) if (1, seed) in texts and (2, seed) in texts]
    assert all(texts[1, seed] != texts[2, seed] for seed in both)


async def test_watch_tells_of_sigterm_before_the_process_ends(explicit: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(explicit.target) as channel:
        method = channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        watches = [method(health_pb2.HealthCheckRequest(service=name), timeout=60) for name in ("", "char-lm")]

        async def statuses() -> list[Any]:
            return [getattr(await watch.read(), "status", "ended") for watch in watches]

        assert await statuses() == [health_pb2.HealthCheckResponse.SERVING] * 2
        explicit.process.send_signal(signal.SIGTERM)
        assert await statuses() == [health_pb2.HealthCheckResponse.NOT_SERVING] * 2
        codes = {await watch.code() for watch in watches}
    assert codes <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    assert await asyncio.to_thread(explicit.process.wait, 60) == 0
