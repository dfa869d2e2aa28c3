"""Commands in a terminal of a given width."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence


def in_terminal(command: Sequence[str], environment: Mapping[str, str], *, columns: int = 80) -> tuple[int, str]:
    """Runs a command whose three streams are a terminal; its exit code and all that it wrote."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    try:
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    finally:
        os.close(theirs)
    written = b""
    try:
        while block := _read(ours):
            written += block
        return process.wait(60), written.decode()
    finally:
        os.close(ours)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux: the last process that had the terminal has left
        return b""
