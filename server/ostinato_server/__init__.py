"""The Ostinato server: streams recurrent networks over gRPC."""

import os

# ONNX Runtime reads this when it is first imported: otherwise it contacts its vendor and stores a device identifier.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
