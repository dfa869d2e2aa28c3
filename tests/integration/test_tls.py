"""TLS and certificates of clients, against the real server."""

from __future__ import annotations

import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from tests.certificates import STRANGER, Issued, issue, leaf, roots
from tests.integration.harness import CALL_SECONDS, RunningServer, continued, fold, serving

from ostinato_client import AsyncClient, Client, ConnectionFailed, tls_credentials
from ostinato_client.cli.main import run
from ostinato_server.errors import StartupError
from ostinato_server.logs import FIELDS


@pytest.fixture
def certificate(tmp_path: Path) -> Issued:
    return issue(tmp_path, "server")


@pytest.fixture
def encrypted(repository: Path, certificate: Issued) -> Iterator[RunningServer]:
    with serving(repository, tls_certificate=certificate.certificate, tls_key=certificate.key) as server:
        yield server


@pytest.fixture
def mutual(repository: Path, certificate: Issued, tmp_path: Path) -> Iterator[RunningServer]:
    with serving(
        repository, tls_certificate=certificate.certificate, tls_key=certificate.key, tls_client_ca=roots(tmp_path)
    ) as server:
        yield server


def shown(server: RunningServer) -> int:
    """Serial number of the certificate that a new connection sees."""
    host, _, port = server.address.rpartition(":")
    return x509.load_pem_x509_certificate(ssl.get_server_certificate((host, int(port))).encode()).serial_number


def with_passphrase(key: bytes) -> bytes:
    """A private key, encrypted."""
    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )


def test_a_client_that_trusts_the_authority_is_served(encrypted: RunningServer, tmp_path: Path) -> None:
    with Client(encrypted.address, credentials=tls_credentials(ca=roots(tmp_path))) as client:
        assert len(client.generate("The cat", max_chars=20, seed=1).text()) == 20


async def test_the_async_client_is_served_alike(encrypted: RunningServer, tmp_path: Path) -> None:
    async with AsyncClient(encrypted.address, credentials=tls_credentials(ca=roots(tmp_path))) as client:
        assert len(await client.models()) == 3


def test_plain_text_is_refused(encrypted: RunningServer) -> None:
    with Client(encrypted.address, retries=0) as client, pytest.raises(ConnectionFailed):
        client.models()


def test_a_client_that_trusts_somebody_else_does_not_connect(encrypted: RunningServer, tmp_path: Path) -> None:
    credentials = tls_credentials(ca=roots(tmp_path, STRANGER))
    with Client(encrypted.address, retries=0, credentials=credentials) as client, pytest.raises(ConnectionFailed):
        client.models()


def test_a_client_without_a_certificate_is_refused_where_one_is_asked_for(
    mutual: RunningServer, tmp_path: Path
) -> None:
    credentials = tls_credentials(ca=roots(tmp_path))
    with Client(mutual.address, retries=0, credentials=credentials) as client, pytest.raises(ConnectionFailed):
        client.models()


def test_a_client_whose_certificate_somebody_else_signed_is_refused(mutual: RunningServer, tmp_path: Path) -> None:
    own = issue(tmp_path, "client", authority=STRANGER)
    credentials = tls_credentials(ca=roots(tmp_path), certificate=own.certificate, key=own.key)
    with Client(mutual.address, retries=0, credentials=credentials) as client, pytest.raises(ConnectionFailed):
        client.models()


def test_a_client_with_a_certificate_of_the_authority_is_served_and_known_by_its_name(
    mutual: RunningServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = issue(tmp_path, "client", common_name="bob")
    credentials = tls_credentials(ca=roots(tmp_path), certificate=own.certificate, key=own.key)
    with caplog.at_level("INFO", "ostinato_server.requests"), Client(mutual.address, credentials=credentials) as client:
        assert client.classify("a good film").token_count > 0
    (line,) = [getattr(record, FIELDS) for record in caplog.records if hasattr(record, FIELDS)]
    assert line["caller"] == "bob"


def test_new_connections_see_the_new_certificate_and_running_streams_go_on(
    repository: Path, certificate: Issued, tmp_path: Path
) -> None:
    with (
        serving(repository, tls_certificate=certificate.certificate, tls_key=certificate.key, window=4) as server,
        server.connected(tls_credentials(ca=roots(tmp_path))) as old,
    ):
        streaming = old.generation.Generate(continued(400), timeout=CALL_SECONDS)
        first = next(streaming)
        before = shown(server)
        certificate.write(new := leaf())
        after = shown(server)
        assert after != before
        assert after == x509.load_pem_x509_certificate(new.cert_chain_pems[0].bytes()).serial_number
        assert len(fold(chain([first], streaming)).text) == 400


def test_half_a_replacement_leaves_the_old_pair_in_force(
    encrypted: RunningServer, certificate: Issued, caplog: pytest.LogCaptureFixture
) -> None:
    before = shown(encrypted)
    new = leaf()
    certificate.certificate.write_bytes(new.cert_chain_pems[0].bytes())
    assert shown(encrypted) == before
    assert f"{certificate.key}: is not the key of the certificate" in caplog.text
    certificate.key.write_bytes(new.private_key_pem.bytes())
    assert shown(encrypted) != before


def test_expired_replacement_leaves_the_old_certificate_in_force_and_its_expiry_in_the_metrics(
    encrypted: RunningServer, certificate: Issued, caplog: pytest.LogCaptureFixture
) -> None:
    def expiry() -> list[float]:
        samples = encrypted.scrape().items()
        return [value for (name, _), value in samples if name == "ostinato_tls_certificate_expiry_timestamp_seconds"]

    before = shown(encrypted), expiry()
    certificate.write(leaf(valid=(-2, -1)))
    assert (shown(encrypted), expiry()) == before
    assert f"{certificate.certificate}: the certificate of" in caplog.text
    certificate.write(leaf(valid=(-2, 500)))
    assert shown(encrypted) != before[0]
    assert expiry() == [pytest.approx(time.time() + 500 * 86_400, abs=600)]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("certificate missing", "server.pem: cannot be read \\(No such file or directory\\)"),
        ("key missing", "server.key: cannot be read \\(No such file or directory\\)"),
        ("certificate is text", "server.pem: holds no PEM certificate"),
        ("key is text", "server.key: holds no PEM private key"),
        ("key of another", "server.key: is not the key of the certificate in .*server.pem"),
        ("key encrypted", "server.key: is encrypted"),
        ("ca is text", "ca.pem: holds no PEM certificate"),
        ("certificate expired", "server.pem: the certificate of .* expired at "),
        ("certificate not valid yet", "server.pem: the certificate of .* is not valid before "),
    ],
)
def test_files_that_will_not_do_are_refused_at_the_start_by_name(
    repository: Path, tmp_path: Path, certificate: Issued, broken: str, words: str
) -> None:
    client_ca = roots(tmp_path)
    match broken:
        case "certificate missing":
            certificate.certificate.unlink()
        case "key missing":
            certificate.key.unlink()
        case "certificate is text":
            certificate.certificate.write_text("certificate")
        case "key is text":
            certificate.key.write_text("key")
        case "key of another":
            certificate.key.write_bytes(leaf().private_key_pem.bytes())
        case "key encrypted":
            certificate.key.write_bytes(with_passphrase(certificate.key.read_bytes()))
        case "certificate expired":
            certificate.write(leaf(valid=(-2, -1)))
        case "certificate not valid yet":
            certificate.write(leaf(valid=(1, 2)))
        case "ca is text":
            client_ca.write_text("roots")
    with (
        pytest.raises(StartupError, match=words),
        serving(repository, tls_certificate=certificate.certificate, tls_key=certificate.key, tls_client_ca=client_ca),
    ):
        pass


def test_the_health_check_of_the_container_reaches_a_server_with_tls(
    mutual: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = issue(tmp_path, "client")
    for name, path in (("CA", roots(tmp_path)), ("CERT", own.certificate), ("KEY", own.key)):
        monkeypatch.setenv(f"OSTINATO_TLS_{name}", str(path))
    command = [sys.executable, "-m", "ostinato_client.health", mutual.address]
    assert subprocess.run(command, check=False, timeout=60).returncode == 0
    monkeypatch.delenv("OSTINATO_TLS_CERT")
    done = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "go together" in done.stderr


def test_the_command_takes_its_files_from_flags_and_variables(
    mutual: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = issue(tmp_path, "client")
    monkeypatch.setenv("OSTINATO_TARGET", mutual.address)
    files = ("--tls-ca", str(roots(tmp_path)), "--tls-cert", str(own.certificate), "--tls-key", str(own.key))
    assert run(["models", *files]) == 0
    assert "char-lm" in capsys.readouterr().out
    assert run(["models", *files[:4]]) == 2
    assert "go together; one of them is missing" in capsys.readouterr().err
    for flag, path in zip(files[::2], files[1::2], strict=True):
        monkeypatch.setenv(f"OSTINATO_{flag[2:].replace('-', '_').upper()}", path)
    assert run(["models"]) == 0
