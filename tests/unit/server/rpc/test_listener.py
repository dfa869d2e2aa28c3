import errno
import socket
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from ostinato_server.config import ServerConfig
from ostinato_server.errors import StartupError
from ostinato_server.rpc.listener import (
    MAX_UNREAD_CALLS,
    channel_options,
    check_address,
    exposure,
    is_loopback,
    listen,
)

CONFIG = ServerConfig(repository=Path("repository"), port=0)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("models.example", False),
    ],
)
def test_loopback_is_what_no_other_machine_reaches(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "INSECURE: listening on 0.0.0.0 without TLS: whoever is on the network can read every request; give"),
        ({"auth_tokens": Path("tokens")}, "can read every request and every token; give --tls-cert and --tls-key"),
    ],
)
def test_listening_beyond_loopback_in_plain_text_is_warned_of(changes: dict[str, object], words: str) -> None:
    assert words in (exposure(replace(CONFIG, host="0.0.0.0", **changes)) or "")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"insecure_bind": True},
        {"tls_certificate": Path("server.pem"), "tls_key": Path("server.key")},
        {"host": "127.0.0.1"},
        {"host": "localhost"},
    ],
)
def test_what_is_meant_or_encrypted_or_on_loopback_is_not_warned_of(changes: dict[str, object]) -> None:
    assert exposure(replace(CONFIG, **{"host": "0.0.0.0", **changes})) is None  # type: ignore[arg-type]


async def test_the_warning_is_in_the_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ostinato_server.rpc.listener.is_loopback", lambda _: False)
    assert listen(grpc.aio.server(), CONFIG, None) > 0
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("WARNING", exposure(CONFIG))


def test_a_burst_of_calls_is_read_rather_than_cancelled_at_random() -> None:
    options = dict(channel_options(CONFIG))
    assert options["grpc.server.max_pending_requests"] == MAX_UNREAD_CALLS
    assert options["grpc.server.max_pending_requests_hard_limit"] == MAX_UNREAD_CALLS


def test_a_call_that_waits_to_be_looked_at_ends_by_its_deadline_rather_than_cancelled() -> None:
    options = dict(channel_options(replace(CONFIG, max_deadline_seconds=7.5)))
    assert options["grpc.server_max_unrequested_time_in_server"] == 8


def test_a_connection_that_has_reached_its_age_stays_for_the_calls_that_it_carries() -> None:
    options = dict(channel_options(replace(CONFIG, max_connection_age_seconds=60.0)))
    assert options["grpc.max_connection_age_ms"] == 60_000
    assert "grpc.max_connection_age_grace_ms" not in options  # gRPC's default is infinite
    assert "grpc.max_connection_age_ms" not in dict(channel_options(replace(CONFIG, max_connection_age_seconds=0.0)))


@pytest.mark.parametrize("flag", ["--port", "--metrics-port"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "::"])
def test_a_taken_port_is_named_with_its_flag(host: str, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartupError) as caught:
            check_address(host, port, flag)
    assert str(caught.value).endswith(
        f":{port}: Address already in use; choose another {flag}, or 0 for one that is free"
    )


def test_a_port_that_was_just_released_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        port = server.getsockname()[1]
        accepted, _ = server.accept()
        accepted.close()  # the server's end waits in TIME_WAIT
        client.recv(1)
    check_address("127.0.0.1", port, "--port")


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("192.0.2.7", "Cannot assign requested address; --host must be an address of this machine"),
        ("2001:db8::1", "--host must be an address of this machine"),
        ("127.0.0.1:80", "--host must be an address of this machine, or a name of it"),
        ("[::1]", "--host must be an address of this machine, or a name of it"),
        ("a..b", "malformed name; --host must be an address of this machine, or a name of it"),
        ("256.1.1.1", "--host must be an address of this machine, or a name of it"),
    ],
)
def test_a_host_that_cannot_be_bound_is_not_taken_for_a_port_that_cannot(host: str, reason: str) -> None:
    with pytest.raises(StartupError) as caught:
        check_address(host, 0, "--port")
    assert host in str(caught.value)
    assert str(caught.value).endswith(reason)


def test_a_port_that_this_user_may_not_bind_is_named_with_its_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(StartupError, match=r"127\.0\.0\.1:80: Permission denied; choose a --port from 1024 on"):
        check_address("127.0.0.1", 80, "--port")


def test_a_name_is_served_on_those_of_its_addresses_that_this_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    there, absent = ("127.0.0.1", 0), ("192.0.2.7", 0)
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in (absent, there)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    check_address("two.example", 0, "--port")


def test_one_port_cannot_have_both_uses() -> None:
    with pytest.raises(StartupError, match="port and metrics_port must differ, and both are 9464"):
        replace(CONFIG, port=9464, metrics_port=9464)
