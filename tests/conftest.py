"""What holds for every test, whatever the environment says."""

from __future__ import annotations

import os

LOOPBACK = "localhost,127.0.0.1,::1"

for name in ("no_proxy", "NO_PROXY"):  # servers on this machine are reached directly
    os.environ[name] = ",".join(filter(None, (os.environ.get(name), LOOPBACK)))

# Some tests import ONNX Runtime themselves; it reads this when it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
