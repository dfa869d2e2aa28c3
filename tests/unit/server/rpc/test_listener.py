from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from ostinato_server.config import ServerConfig
from ostinato_server.rpc.listener import MAX_UNREAD_CALLS, channel_options, exposure, is_loopback, listen

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
