"""Bundles whose hashes hold though their content does not: what somebody who means harm would make."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes a bundle's manifest."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    change(manifest)
    path.write_text(json.dumps(manifest))


def seal(folder: Path) -> None:
    """Makes the manifest list every file of the folder as it is now."""

    def every_file(manifest: dict[str, Any]) -> None:
        manifest["files"] = {
            file.name: {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "bytes": file.stat().st_size}
            for file in folder.iterdir()
            if file.name != "manifest.json"
        }

    rewrite(folder, every_file)


def replace(folder: Path, name: str, content: bytes) -> None:
    """Puts another file in a file's place and makes the manifest agree."""
    (folder / name).write_bytes(content)
    seal(folder)
