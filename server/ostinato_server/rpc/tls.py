"""TLS: the server's certificate, and whose certificates its clients must show; replaced without a restart.

Dates are read by ``cryptography``: the standard library shows a certificate's dates only after a handshake, or where it
is an authority's. Servers without TLS do not import this module.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import grpc
from cryptography import x509

from ostinato_server.errors import StartupError
from ostinato_server.watched import Watched, read_bytes

logger = logging.getLogger(__name__)

WARNING = timedelta(days=30)
"""A certificate that expires within this is warned of."""

MAX_SUBJECT_CHARACTERS = 200

_LOOK_SECONDS = 60.0
_LOOKS_A_DAY = 24 * 60
_REMEDY = "write a new certificate to that file"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the server's certificate is, all PEM.

    Attributes:
        certificate: The server's certificate, followed by those between it and the root.
        key: Its private key, not encrypted.
        client_ca: Roots of the certificates that clients must show; none to ask for no certificate.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


class Certificate(NamedTuple):
    """A certificate as it stands in a file.

    Attributes:
        path: The file.
        use: ``server`` for the server's certificate and its chain, ``client_ca`` for the roots of clients.
        subject: Whose it is.
        serial: Its serial number, in hexadecimal digits.
        not_before: When it becomes valid.
        not_after: When it expires.
    """

    path: Path
    use: str
    subject: str
    serial: str
    not_before: datetime
    not_after: datetime

    def fault(self, now: datetime) -> str:
        """Why nobody accepts it now; empty while it is valid."""
        if now > self.not_after:
            return f"expired at {_utc(self.not_after)}"
        if now < self.not_before:
            return f"is not valid before {_utc(self.not_before)}"
        return ""


class ServerCertificates:
    """Credentials that follow their files: every handshake takes what they hold then, connections that stand go on.

    Args:
        files: The files.
        observe: Called with the certificates that are in force, at the start and after every change.
        now: The wall clock, in UTC.

    Raises:
        StartupError: A file is missing, is not PEM of its kind, or the key belongs to another certificate; or no client
            would accept the server's certificate now, or the server none of a client's, since it has expired.
    """

    def __init__(
        self,
        files: TlsFiles,
        observe: Callable[[Sequence[Certificate]], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._files = files
        self._observe = observe
        self._now = now
        self._certificates: tuple[Certificate, ...] = ()
        paths = [path for path in (files.certificate, files.key, files.client_ca) if path is not None]
        self._watched = Watched(paths, self._configuration)
        self.credentials: grpc.ServerCredentials = grpc.dynamic_ssl_server_credentials(
            self._watched.get(), self._watched.get, require_client_authentication=files.client_ca is not None
        )

    async def watch(self) -> None:
        """Follows the files for ever without a handshake, and warns once a day of certificates that expire soon."""
        looks = 0
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.to_thread(self._watched.recheck)
            looks += 1
            if looks % _LOOKS_A_DAY == 0:
                self.warn()

    def warn(self) -> None:
        """Logs the certificates in force that have expired or expire soon."""
        now = self._now()
        for each in self._certificates:
            if fault := each.fault(now):
                logger.error(
                    "%s: the certificate of %s %s; %s, which is read without a restart",
                    each.path,
                    each.subject,
                    fault,
                    _REMEDY,
                )
            elif each.not_after - now < WARNING:
                days = (each.not_after - now) / timedelta(days=1)
                logger.warning(
                    "%s: the certificate of %s expires at %s, in %.1f days; %s, which is read without a restart",
                    each.path,
                    each.subject,
                    _utc(each.not_after),
                    days,
                    _REMEDY,
                )

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        files = self._files
        certificate, key = read_bytes(files.certificate), read_bytes(files.key)
        roots = None if files.client_ca is None else read_bytes(files.client_ca)
        own = _read_certificates(files.certificate, "server", certificate)
        trusted = (
            () if files.client_ca is None or roots is None else _read_certificates(files.client_ca, "client_ca", roots)
        )
        _check_pair(files)
        _check_validity(own[:1], self._now())  # a chain may hold a certificate that clients do without
        _check_validity(trusted, self._now())
        self._certificates = own + trusted
        self._observe(self._certificates)
        self.warn()
        return grpc.ssl_server_certificate_configuration([(key, certificate)], roots)


def _read_certificates(path: Path, use: str, content: bytes) -> tuple[Certificate, ...]:
    """Reads every certificate of a file; refuses what gRPC would only turn into handshakes that fail."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=content.decode("ascii"))
        found = x509.load_pem_x509_certificates(content)
        return tuple(
            Certificate(
                path,
                use,
                _subject(each),
                f"{each.serial_number:x}",
                each.not_valid_before_utc,
                each.not_valid_after_utc,
            )
            for each in found
        )
    except (ssl.SSLError, ValueError) as error:
        raise StartupError(f"{path}: holds no PEM certificate") from error


def _subject(certificate: x509.Certificate) -> str:
    """The subject, or what stands in its place where that is empty."""
    if subject := certificate.subject.rfc4514_string():
        return subject[:MAX_SUBJECT_CHARACTERS]
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return f"serial number {certificate.serial_number:x}"
    return ",".join(str(name.value) for name in names)[:MAX_SUBJECT_CHARACTERS]


def _check_validity(certificates: Sequence[Certificate], now: datetime) -> None:
    """Refuses certificates none of which is valid now.

    Raises:
        StartupError: There are some, and none is.
    """
    faults = [(each, each.fault(now)) for each in certificates]
    if faults and all(fault for _, fault in faults):
        each, fault = faults[0]
        raise StartupError(
            f"{each.path}: the certificate of {each.subject} {fault}, and it is {_utc(now)}; "
            f"{_REMEDY}, or correct the clock"
        )


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _check_pair(files: TlsFiles) -> None:
    def refuse_password() -> bytes:
        raise StartupError(f"{files.key}: is encrypted; gRPC takes a key without a passphrase")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key, password=refuse_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise StartupError(f"{files.key}: is not the key of the certificate in {files.certificate}") from error
        raise StartupError(f"{files.key}: holds no PEM private key") from error
    except OSError as error:
        raise StartupError(f"{error.filename or files.key}: cannot be read ({error.strerror})") from error
