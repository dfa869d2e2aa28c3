"""Whether a server takes requests, as an exit code: what a container's health check runs.

::

    python -m ostinato_client.health localhost:50051

The variables of the command line say how to reach a server with TLS: ``OSTINATO_TLS_CA``, ``OSTINATO_TLS_CERT`` and
``OSTINATO_TLS_KEY``. Health needs no token.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import grpc

from ostinato_client.client import Client
from ostinato_client.errors import OstinatoError
from ostinato_client.tls import tls_credentials

TIMEOUT_SECONDS = 3.0


def main(arguments: Sequence[str]) -> int:
    """Asks ``grpc.health.v1`` once: 0 for SERVING, 1 for anything else, said on standard error."""
    (target,) = arguments or ("localhost:50051",)
    try:
        with Client(target, credentials=_credentials()) as client:
            ready = client.is_ready(timeout=TIMEOUT_SECONDS)
    except (OstinatoError, OSError, ValueError) as error:
        sys.stderr.write(f"{target}: {error}\n")
        return 1
    if not ready:
        sys.stderr.write(f"{target}: not serving\n")
    return 0 if ready else 1


def _credentials() -> grpc.ChannelCredentials | None:
    ca, certificate, key = (os.environ.get(f"OSTINATO_TLS_{name}") or None for name in ("CA", "CERT", "KEY"))
    return tls_credentials(ca=ca, certificate=certificate, key=key) if ca or certificate or key else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
