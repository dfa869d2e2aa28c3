"""Certificates for tests: an authority, what it signs, and the files that a server or a client is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme

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


def issue(folder: Path, name: str, *, authority: trustme.CA = AUTHORITY, common_name: str | None = None) -> Issued:
    """A certificate for loopback, in the files NAME.pem and NAME.key."""
    files = Issued(folder / f"{name}.pem", folder / f"{name}.key")
    files.write(leaf(authority=authority, common_name=common_name))
    return files


def leaf(*, authority: trustme.CA = AUTHORITY, common_name: str | None = None) -> trustme.LeafCert:
    """A certificate for loopback."""
    return authority.issue_cert("127.0.0.1", "localhost", common_name=common_name)


def roots(folder: Path, authority: trustme.CA = AUTHORITY) -> Path:
    """The authority's own certificate as a file."""
    path = folder / "ca.pem"
    path.write_bytes(authority.cert_pem.bytes())
    return path
