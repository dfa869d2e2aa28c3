"""Every test reaches servers on this machine directly, whatever proxy the environment names."""

from __future__ import annotations

import os

LOOPBACK = "localhost,127.0.0.1,::1"

for name in ("no_proxy", "NO_PROXY"):
    os.environ[name] = ",".join(filter(None, (os.environ.get(name), LOOPBACK)))
