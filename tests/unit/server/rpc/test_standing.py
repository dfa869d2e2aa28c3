import pytest

from ostinato_server.rpc.standing import host


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
