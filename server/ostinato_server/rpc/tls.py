"""TLS: the server's certificate, and whose certificates its clients must show; replaced without a restart."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from ostinato_server.errors import StartupError
from ostinato_server.watched import Watched, read_bytes


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


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Credentials that follow their files: every handshake takes what they hold then, connections that stand go on.

    Raises:
        StartupError: A file is missing, is no PEM of its kind, or the key belongs to another certificate.
    """
    paths = [path for path in (files.certificate, files.key, files.client_ca) if path is not None]
    watched = Watched(paths, lambda: _configuration(files))
    return grpc.dynamic_ssl_server_credentials(
        watched.get(), watched.get, require_client_authentication=files.client_ca is not None
    )


def _configuration(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    certificate = read_bytes(files.certificate)
    key = read_bytes(files.key)
    roots = None if files.client_ca is None else read_bytes(files.client_ca)
    _check_certificates(files.certificate, certificate)
    if files.client_ca is not None and roots is not None:
        _check_certificates(files.client_ca, roots)
    _check_pair(files)
    return grpc.ssl_server_certificate_configuration([(key, certificate)], roots)


def _check_certificates(path: Path, content: bytes) -> None:
    """Refuses what gRPC would only turn into handshakes that fail."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=content.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise StartupError(f"{path}: holds no PEM certificate") from error


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
