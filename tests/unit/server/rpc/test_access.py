import pytest

from ostinato_server.rpc.access import bearer, host


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("ipv4:10.0.0.1:4242", "ipv4:10.0.0.1"),
        ("ipv6:%5B::1%5D:4242", "ipv6:%5B::1%5D"),
        ("unix:/run/ostinato.sock", "unix:/run/ostinato.sock"),
        ("unix:", "unix:"),
    ],
)
def test_port_is_no_part_of_who_calls(peer: str, expected: str) -> None:
    assert host(peer) == expected


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ([("authorization", "Bearer abc")], "abc"),
        ([("other", "x"), ("authorization", "bearer abc")], "abc"),
        ([("authorization", "Basic abc")], None),
        ([("authorization", "abc")], None),
        ([("authorization", b"Bearer abc")], None),
        ([("authorization-bin", b"Bearer abc")], None),
        ([], None),
    ],
)
def test_the_token_is_what_follows_the_scheme(metadata: list[tuple[str, str | bytes]], expected: str | None) -> None:
    assert bearer(metadata) == expected
