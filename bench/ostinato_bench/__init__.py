"""Load generator and micro-benchmarks.

``ostinato bench`` loads a server from a process of its own; ``python -m ostinato_bench.micro`` times single steps of
the shipped graphs.
"""

import os

# ONNX Runtime reads this when it is first imported: otherwise it contacts its vendor and stores a device identifier.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
