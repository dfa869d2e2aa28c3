from __future__ import annotations

from typing import Any, cast

import pytest

from ostinato.v1 import generation_pb2
from ostinato_server.rpc.access import Caller
from ostinato_server.rpc.standing import read_standing
from ostinato_server.tokens import Role


class FakeContext:
    """A call from 10.0.0.1."""

    def __init__(self, client_id: str | None) -> None:
        self._client_id = client_id

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return () if self._client_id is None else (("ostinato-client-id", self._client_id),)

    def peer(self) -> str:
        return "ipv4:10.0.0.1:4242"


@pytest.mark.parametrize(
    ("caller", "client_id", "expected"),
    [
        (Caller("token:alice", "alice", Role.INFER), "bob", "token:alice"),
        (Caller("certificate:alice", "alice"), "bob", "certificate:alice"),
        (Caller("ipv4:10.0.0.1"), "bob", "id:bob"),
        (Caller("ipv4:10.0.0.1"), None, "ipv4:10.0.0.1"),
        (None, None, "ipv4:10.0.0.1"),
    ],
)
def test_what_is_proven_of_a_client_goes_before_what_it_says(
    caller: Caller | None, client_id: str | None, expected: str
) -> None:
    context = cast("Any", FakeContext(client_id))
    assert read_standing(generation_pb2.PRIORITY_NORMAL, context, caller).client == expected
