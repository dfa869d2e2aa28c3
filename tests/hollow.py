"""Bundles that are whole and whose graph file holds nothing that could be run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

FILES = {"step.onnx": b"graph", "tokenizer.json": b"{}", "README.md": b"card"}


def write(folder: Path, **changes: Any) -> Path:
    """Writes a bundle into a folder; ``changes`` are to its manifest."""
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    manifest = {
        "format_version": 1,
        "name": "m",
        "version": 1,
        "task": "generation",
        "description": "d",
        "license": "l",
        "architecture": {},
        "tokenizer": {"kind": "character", "vocabulary_size": 4},
        "limits": {"max_text_characters": 10, "max_input_tokens": 10},
        "graphs": {"step": {"inputs": [], "outputs": [], "artifacts": {"onnx": "step.onnx"}}},
        "provenance": {"command": "c", "seed": 1, "data_sets": {}, "libraries": {}},
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in FILES.items()
        },
        **changes,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
