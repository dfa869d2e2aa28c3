"""Programs that tests call, and how they start them."""

from __future__ import annotations

import os
import shutil
import sys

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


def prepared(statements: str, command: tuple[str, ...]) -> tuple[str, ...]:
    """A command whose process first runs Python statements, with ``os`` imported, and then becomes the program.

    ``preexec_fn`` would run them between fork and exec of this process, which deadlocks or aborts where other threads
    (gRPC's, say) hold a lock.
    """
    return (sys.executable, "-c", f"import os, sys\n{statements}\nos.execvp(sys.argv[1], sys.argv[1:])", *command)
