"""Where the graphs are, and how ONNX Runtime opens them: as Ostinato does."""

from __future__ import annotations

import os
from pathlib import Path

import onnxruntime

SLOTS = int(os.environ.get("PEER_SLOTS", "64"))
"""Streams in a batch."""

TEXTS = int(os.environ.get("PEER_TEXTS", "32"))
"""Texts in a batch: half of the calls in flight, so that one half is answered while the other is scored."""

THREADS = int(os.environ.get("PEER_THREADS", "1"))
"""Threads that one run may use."""


def bundle(model: str) -> Path:
    """Folder of a model's derived bundle."""
    return Path(os.environ["PEER_REPOSITORY"]) / model / "1"


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Opens a graph for the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning threads would take the core that the network needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
