"""What holds for every test."""

import os

# Some tests import ONNX Runtime themselves; it reads this when it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
