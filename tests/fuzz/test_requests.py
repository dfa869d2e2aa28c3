"""A little of what ``make fuzz`` sends, to every call of a server that runs in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.bundles import build_tiny_repository
from tests.fuzz.campaign import fuzz
from tests.fuzz.rpcs import Rpc, all_rpcs
from tests.fuzz.server import FuzzedServer, fuzzed_server

REQUESTS = 300


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedServer]:
    folder = tmp_path_factory.mktemp("fuzzed")
    with fuzzed_server(build_tiny_repository(folder / "repository"), folder / "log") as running:
        yield running


@pytest.mark.parametrize("rpc", all_rpcs(), ids=lambda rpc: rpc.path)
async def test_call_answers_whatever_is_sent(server: FuzzedServer, rpc: Rpc) -> None:
    outcome = await fuzz(server, rpc, REQUESTS, seed=1)
    assert outcome.faults == []
    assert outcome.requests >= REQUESTS
