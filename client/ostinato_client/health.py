"""Whether a server takes requests, as an exit code: what a container's health check runs.

::

    python -m ostinato_client.health localhost:50051
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ostinato_client.client import Client
from ostinato_client.errors import OstinatoError

TIMEOUT_SECONDS = 3.0


def main(arguments: Sequence[str]) -> int:
    """Asks ``grpc.health.v1`` once: 0 for SERVING, 1 for anything else, said on standard error."""
    (target,) = arguments or ("localhost:50051",)
    try:
        with Client(target) as client:
            ready = client.is_ready(timeout=TIMEOUT_SECONDS)
    except OstinatoError as error:
        sys.stderr.write(f"{target}: {error}\n")
        return 1
    if not ready:
        sys.stderr.write(f"{target}: not serving\n")
    return 0 if ready else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
