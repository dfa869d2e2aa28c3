"""Certificates for tests: an authority, what it signs, and the files that a server or a client is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AUTHORITY = trustme.CA()
STRANGER = trustme.CA()


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key as files."""

    certificate: Path
    key: Path

    def write(self, issued: trustme.LeafCert) -> None:
        """Puts another certificate and key into the files."""
        self.certificate.write_bytes(issued.cert_chain_pems[0].bytes())
        self.key.write_bytes(issued.private_key_pem.bytes())


def issue(
    folder: Path,
    name: str,
    *,
    authority: trustme.CA = AUTHORITY,
    common_name: str | None = None,
    valid: tuple[float, float] | None = None,
) -> Issued:
    """A certificate for loopback, in the files NAME.pem and NAME.key."""
    files = Issued(folder / f"{name}.pem", folder / f"{name}.key")
    files.write(leaf(authority=authority, common_name=common_name, valid=valid))
    return files


def leaf(
    *,
    authority: trustme.CA = AUTHORITY,
    common_name: str | None = None,
    valid: tuple[float, float] | None = None,
) -> trustme.LeafCert:
    """A certificate for loopback; ``valid`` is from and to when, in days from now, for years if None."""
    begins, ends = (None, None) if valid is None else (datetime.now(UTC) + timedelta(days) for days in valid)
    return authority.issue_cert("127.0.0.1", "localhost", common_name=common_name, not_before=begins, not_after=ends)


def self_signed(valid: tuple[float, float], *, subject: str = "root") -> bytes:
    """An authority's certificate in PEM, valid as that of `leaf`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)] if subject else [])
    begins, ends = (datetime.now(UTC) + timedelta(days) for days in valid)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begins, ends)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def roots(folder: Path, authority: trustme.CA = AUTHORITY) -> Path:
    """The authority's own certificate as a file."""
    path = folder / "ca.pem"
    path.write_bytes(authority.cert_pem.bytes())
    return path
