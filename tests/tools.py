"""Programs that tests call and that no Python package brings."""

from __future__ import annotations

import os
import shutil

import pytest


def required_tool(name: str, package: str) -> str:
    """Path of a program; without it the test is skipped, or fails in continuous integration, where it has to be."""
    found = shutil.which(name)
    if found is None:
        reason = f"needs {name}: apt install {package}, or scripts/install-system-packages for all of them"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found
