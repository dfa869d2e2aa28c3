from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from tests.stack.engine import NoEngine, Stack, find_stack

from ostinato_client import Client

START_SECONDS = 120.0


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The deployed services in containers, ready."""
    if os.environ.get("STACK") is None:
        pytest.skip("needs a container engine and minutes: make test-stack")
    try:
        found = find_stack()
    except NoEngine as reason:
        pytest.skip(str(reason))
    found.down()
    try:
        began = time.monotonic()
        found.up()
        with Client(target(found)) as client:
            client.wait_until_ready(timeout=START_SECONDS)
        print(f"ready after {time.monotonic() - began:.1f} s")  # noqa: T201 (a measurement, for those who run it)
        yield found
    finally:
        found.down()


def target(stack: Stack) -> str:
    return f"127.0.0.1:{stack.ports['OSTINATO_PORT']}"
