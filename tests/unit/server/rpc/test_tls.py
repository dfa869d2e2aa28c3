"""Certificates that have expired, are not valid yet, or soon will not be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.certificates import Issued, issue, leaf, roots, self_signed

from ostinato_server.errors import StartupError
from ostinato_server.rpc import tls
from ostinato_server.rpc.tls import Certificate, ServerCertificates, TlsFiles

YEARS = (-1.0, 1000.0)
OVER = (-20.0, -10.0)
NOT_YET = (10.0, 20.0)
SOON = (-10.0, 10.0)


class Scene:
    """Files, a clock that only the test moves, and what was observed."""

    def __init__(self, folder: Path, server: Issued, client_ca: Path | None) -> None:
        self.server = server
        self.client_ca = client_ca
        self.files = TlsFiles(server.certificate, server.key, client_ca)
        self.days = 0.0
        self.seen: list[Sequence[Certificate]] = []

    def start(self) -> ServerCertificates:
        return ServerCertificates(self.files, self.seen.append, lambda: datetime.now(UTC) + timedelta(self.days))

    def shown(self) -> list[tuple[str, str]]:
        return [(each.use, each.subject) for each in self.seen[-1]]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, issue(tmp_path, "server", common_name="me", valid=YEARS), roots(tmp_path))


def said(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


@pytest.mark.parametrize(
    ("valid", "words"), [(OVER, "expired at 20"), (NOT_YET, "is not valid before 20")], ids=["over", "not yet"]
)
def test_certificate_that_nobody_would_accept_ends_the_start_and_is_named(
    scene: Scene, valid: tuple[float, float], words: str
) -> None:
    scene.server.write(leaf(common_name="me", valid=valid))
    with pytest.raises(StartupError) as refused:
        scene.start()
    text = str(refused.value)
    assert text.startswith(f"{scene.server.certificate}: the certificate of CN=me,")
    assert words in text
    assert " and it is 20" in text
    assert "write a new certificate to that file" in text


@pytest.mark.parametrize("valid", [OVER, NOT_YET])
def test_roots_of_clients_of_which_none_is_valid_end_the_start(scene: Scene, valid: tuple[float, float]) -> None:
    assert scene.client_ca is not None
    scene.client_ca.write_bytes(self_signed(valid) + self_signed(OVER))
    with pytest.raises(StartupError, match=r"ca\.pem: the certificate of CN=root (expired|is not valid before)"):
        scene.start()


def test_one_root_of_several_may_have_expired_and_is_logged(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    assert scene.client_ca is not None
    scene.client_ca.write_bytes(self_signed(OVER, subject="old") + self_signed(YEARS, subject="new"))
    scene.start()
    (text,) = said(caplog, logging.ERROR)
    assert "ca.pem: the certificate of CN=old expired at" in text


def test_expired_certificate_of_the_chain_is_logged(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Clients may know another way to a root that they trust."""
    with scene.server.certificate.open("ab") as file:
        file.write(self_signed(OVER, subject="between"))
    scene.start()
    (text,) = said(caplog, logging.ERROR)
    assert "server.pem: the certificate of CN=between expired at" in text


@pytest.mark.parametrize("valid", [OVER, NOT_YET])
def test_certificate_that_nobody_would_accept_is_refused_later_and_logged_once(
    scene: Scene, valid: tuple[float, float], caplog: pytest.LogCaptureFixture
) -> None:
    certificates = scene.start()
    before = scene.seen[-1]
    scene.server.write(leaf(common_name="me", valid=valid))
    for _ in range(3):
        certificates._watched.get()
        certificates._watched.recheck()
    assert scene.seen == [before]
    (text,) = said(caplog, logging.ERROR)
    assert "what was read before stays in force" in text


def test_certificate_that_was_not_valid_yet_is_taken_when_it_is(scene: Scene) -> None:
    certificates = scene.start()
    scene.server.write(leaf(common_name="next", valid=NOT_YET))
    certificates._watched.recheck()
    assert len(scene.seen) == 1
    scene.days = 11
    certificates._watched.recheck()
    assert scene.shown()[0][1].startswith("CN=next,")


@pytest.mark.parametrize(("days", "warned"), [(29, True), (31, False)])
def test_certificate_that_expires_within_thirty_days_is_warned_of(
    scene: Scene, caplog: pytest.LogCaptureFixture, days: float, warned: bool
) -> None:
    scene.server.write(leaf(common_name="me", valid=(-1, days)))
    scene.start()
    texts = said(caplog, logging.WARNING)
    assert bool(texts) is warned
    for text in texts:
        assert text.startswith(f"{scene.server.certificate}: the certificate of CN=me,")
        assert "expires at 20" in text
        assert f"in {days:.1f} days" in text


def test_warning_is_repeated_and_becomes_an_error_when_the_certificate_has_expired(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.server.write(leaf(common_name="me", valid=SOON))
    certificates = scene.start()
    certificates.warn()
    assert len(said(caplog, logging.WARNING)) == 2
    scene.days = 11
    certificates.warn()
    (text,) = said(caplog, logging.ERROR)
    assert "expired at" in text


def test_certificates_in_force_are_observed_with_their_dates(scene: Scene) -> None:
    scene.start()
    own, authority = scene.seen[-1]
    assert (own.use, authority.use) == ("server", "client_ca")
    assert own.subject.startswith("CN=me,")
    assert own.not_after - own.not_before == timedelta(1001)
    assert int(own.serial, 16) > 0


def test_certificate_without_a_subject_is_called_by_its_names_or_its_number(scene: Scene) -> None:
    assert scene.client_ca is not None
    scene.client_ca.write_bytes(self_signed(YEARS, subject=""))
    scene.start()
    _, authority = scene.seen[-1]
    assert authority.subject == f"serial number {authority.serial}"


async def test_files_are_followed_without_a_handshake_and_expiry_is_logged_daily(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = scene.start()
    monkeypatch.setattr(tls, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(tls, "_LOOKS_A_DAY", 2)
    warned = asyncio.Event()
    inner = certificates.warn

    def warn() -> None:
        inner()
        if len(said(caplog, logging.WARNING)) == 3:
            loop.call_soon_threadsafe(warned.set)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(certificates, "warn", warn)
    scene.server.write(leaf(common_name="next", valid=SOON))
    watching = asyncio.create_task(certificates.watch())
    await asyncio.wait_for(warned.wait(), 30)
    watching.cancel()
    assert scene.shown()[0][1].startswith("CN=next,")
    assert len(scene.seen) == 2
