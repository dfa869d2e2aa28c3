"""TLS credentials from the files that hold them."""

from __future__ import annotations

from pathlib import Path

import grpc


def tls_credentials(
    *, ca: str | Path | None = None, certificate: str | Path | None = None, key: str | Path | None = None
) -> grpc.ChannelCredentials:
    """What a client needs to speak TLS.

    ::

        Client("models.example:50051", credentials=tls_credentials(ca="ca.pem"), token=token)

    Args:
        ca: PEM file of the roots that sign the server's certificate; the well-known ones when None.
        certificate: PEM file of the client's own certificate, for servers that ask for one.
        key: PEM file of its private key.

    Raises:
        ValueError: There is a certificate without its key, or a key without its certificate.
        OSError: A file cannot be read.
    """
    if (certificate is None) != (key is None):
        raise ValueError("a client's certificate and its key go together; one of them is missing")
    roots, private, own = (None if path is None else Path(path).read_bytes() for path in (ca, key, certificate))
    return grpc.ssl_channel_credentials(roots, private, own)
