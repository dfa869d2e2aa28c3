"""Fuzzing one call: its traffic in portions, the server's models whole before each, its memory watched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

import grpc
from tests.fuzz.driver import Found, send
from tests.fuzz.rpcs import CHANGING, Rpc
from tests.fuzz.server import FuzzedServer
from tests.fuzz.structure import MODELS
from tests.fuzz.traffic import conversations

from ostinato.v1 import models_pb2
from ostinato.v1.models_pb2_grpc import ModelServiceStub

CONCURRENCY = 64
PORTION = 4000
CHANGING_PORTION = 500
"""Conversations between two looks at the server; few where they unload its models."""

MOST_GROWTH_MIB = 32.0
"""Memory that a server may gain once it is warm; versions that come and go leave the allocator as much."""


@dataclass(slots=True)
class Outcome:
    """What fuzzing a call found.

    Attributes:
        rpc: Its path.
        requests: Requests that were sent.
        statuses: How many calls ended how.
        seconds: How long that took.
        slowest: Seconds of the longest call.
        warm_mib: The server's memory after a third.
        final_mib: The same at the end.
        faults: What went wrong; empty if all is well.
    """

    rpc: str
    requests: int
    statuses: dict[str, int]
    seconds: float
    slowest: float
    warm_mib: float
    final_mib: float
    faults: list[str] = field(default_factory=list)


async def fuzz(
    server: FuzzedServer,
    rpc: Rpc,
    requests: int,
    seed: int,
    progress: Callable[[int], None] = lambda requests: None,
) -> Outcome:
    """Sends a call so many mutated requests.

    Args:
        server: The server.
        rpc: The call.
        requests: How many.
        seed: The same one gives the same requests.
        progress: Told how many have been sent.
    """
    found = Found()
    traffic = conversations(rpc, requests, seed)
    warm: float | None = None
    known_faults = len(server.faults())
    portion = CHANGING_PORTION if rpc.name in CHANGING else PORTION
    while server.alive:
        if rpc.name in CHANGING:
            await load_models(server.target)
        part = list(islice(traffic, portion))
        if not part:
            break
        await send(server.target, rpc, iter(part), CONCURRENCY, found)
        progress(found.requests)
        if warm is None and found.requests >= requests / 3:
            warm = server.resident_mib()
    faults = [f"{status} for {_shown(sent)}" for status, sent in found.faults]
    faults += [f"logged: {line}" for line in server.faults()[known_faults:]]
    final = server.resident_mib() if server.alive else 0.0
    if not server.alive:
        faults.append(f"the server ended with {server.process.returncode}")
    else:
        faults += await unwell(server.target)
    warm = final if warm is None else warm
    if final - warm > MOST_GROWTH_MIB:
        faults.append(f"memory grew from {warm:.0f} to {final:.0f} MiB")
    return Outcome(rpc.path, found.requests, dict(found.statuses), found.seconds, found.slowest, warm, final, faults)


async def load_models(target: str) -> None:
    """Brings every model back that requests have unloaded."""
    async with grpc.aio.insecure_channel(target) as channel:
        stub = ModelServiceStub(channel)
        for model in MODELS:
            await stub.LoadModel(models_pb2.LoadModelRequest(model=model), timeout=60.0)


async def unwell(target: str) -> list[str]:
    """What the server does not do any more that it should: load its models and list them."""
    try:
        await load_models(target)
        async with grpc.aio.insecure_channel(target) as channel:
            listed = await ModelServiceStub(channel).ListModels(models_pb2.ListModelsRequest(), timeout=60.0)
    except grpc.aio.AioRpcError as error:
        return [f"afterwards the server answers {error.code().name}: {error.details()}"]
    missing = set(MODELS) - {model.name for model in listed.models}
    return [f"afterwards {', '.join(sorted(missing))} is not served"] if missing else []


def _shown(conversation: list[bytes]) -> str:
    return " | ".join(data[:200].hex() + ("…" if len(data) > 200 else "") for data in conversation)
