from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from tests.certificates import issue

from ostinato_server.config import ServerConfig
from ostinato_server.rpc.listener import channel_options, is_loopback, listen

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
    ("changes", "warned"),
    [
        ({"host": "0.0.0.0"}, "INSECURE: listening on 0.0.0.0:0 without TLS"),
        ({"host": "0.0.0.0", "auth_tokens": Path("tokens")}, "every request and every token"),
        ({"host": "0.0.0.0", "insecure_bind": True}, ""),
        ({"host": "127.0.0.1"}, ""),
        ({"host": "localhost"}, ""),
    ],
)
async def test_listening_beyond_loopback_without_tls_is_said_loudly(
    caplog: pytest.LogCaptureFixture, changes: dict[str, object], warned: str
) -> None:
    assert listen(grpc.aio.server(), replace(CONFIG, **changes)) > 0  # type: ignore[arg-type]
    assert (warned in caplog.text) if warned else not caplog.records


async def test_listening_beyond_loopback_with_tls_is_silent(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    files = issue(tmp_path, "server")
    config = replace(CONFIG, host="0.0.0.0", tls_certificate=files.certificate, tls_key=files.key)
    assert listen(grpc.aio.server(), config) > 0
    assert not caplog.records


def test_a_connection_ages_as_long_as_a_request_may_take_beyond_its_age() -> None:
    options = dict(channel_options(replace(CONFIG, max_connection_age_seconds=60.0, max_deadline_seconds=7.5)))
    assert options["grpc.max_connection_age_ms"] == 60_000
    assert options["grpc.max_connection_age_grace_ms"] == 7_500
    assert "grpc.max_connection_age_ms" not in dict(channel_options(replace(CONFIG, max_connection_age_seconds=0.0)))
