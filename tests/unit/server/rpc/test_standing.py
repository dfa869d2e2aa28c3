from __future__ import annotations

import pytest

from ostinato.v1 import generation_pb2
from ostinato_server.rpc.access import Caller
from ostinato_server.rpc.call import Call
from ostinato_server.rpc.standing import read_standing
from ostinato_server.tokens import Role


@pytest.mark.parametrize(
    ("caller", "client_id", "expected"),
    [
        (Caller("token:alice", "alice", Role.INFER), "bob", "token:alice"),
        (Caller("certificate:alice", "alice"), "bob", "certificate:alice"),
        (Caller("ipv4:10.0.0.1"), "bob", "id:bob"),
        (Caller("ipv4:10.0.0.1"), "", "ipv4:10.0.0.1"),
        (None, "", "ipv4:10.0.0.1"),
    ],
)
def test_what_is_proven_of_a_client_goes_before_what_it_says(
    caller: Caller | None, client_id: str, expected: str
) -> None:
    call = Call("/a/B", "id", "ipv4:10.0.0.1", client_id, caller=caller)
    assert read_standing(generation_pb2.PRIORITY_NORMAL, call).client == expected
