"""A fake server and a client of it, for every test that needs a connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.unit.client.fake_server import FakeServer

from ostinato_client import AsyncClient, Client


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.stop()


@pytest.fixture
def client(fake: FakeServer) -> Iterator[Client]:
    with Client(fake.target, timeout=10) as client:
        yield client


@pytest.fixture
async def async_client(fake: FakeServer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(fake.target, timeout=10) as client:
        yield client
