"""A second version of a shipped model: as large and as fast, with some weights changed, so that it writes otherwise."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from shutil import copytree

import onnx

CHANGED_BYTES = 4096


def forge_version(repository: Path, model: str, version: int) -> None:
    """Makes a version from version 1, part of whose largest int8 matrix is turned around."""
    folder = Path(copytree(repository / model / "1", repository / model / str(version)))
    graph = onnx.load(str(folder / "step.int8.onnx"), load_external_data=False).graph
    places = [
        {entry.key: entry.value for entry in tensor.external_data}
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and tensor.external_data
    ]
    place = max(places, key=lambda place: int(place["length"]))
    file, offset = folder / place["location"], int(place.get("offset", 0))
    content = bytearray(file.read_bytes())
    end = offset + min(CHANGED_BYTES, int(place["length"]))
    content[offset:end] = content[offset:end][::-1]
    file.write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["version"] = version
    manifest["files"][file.name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
