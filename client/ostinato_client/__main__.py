"""The ``ostinato`` command, also as ``python -m ostinato_client``: handles signals before it imports anything large."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

SIGNALLED = 128
"""Shells report a process that a signal ended as this plus the signal's number."""


def main() -> None:
    """Runs the command of the command line."""
    for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) == default:  # a background job ignores SIGINT
            signal.signal(number, _stop)
    try:
        from ostinato_client.cli.main import main as command

        command()
    except KeyboardInterrupt:
        sys.exit(SIGNALLED + signal.SIGINT)


def _stop(number: int, frame: FrameType | None) -> None:
    """Ends the command by an exception, which runs its cleanup.

    During an import it ends the process at once: there is nothing to clean up, and an extension module can turn the
    exception into an ImportError, or print it and continue.
    """
    signal.signal(number, signal.SIG_DFL)  # a second one does not wait for the cleanup
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            os._exit(SIGNALLED + number)
        frame = frame.f_back
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(SIGNALLED + number)


if __name__ == "__main__":  # a process that `ostinato bench` starts imports this file again
    main()
