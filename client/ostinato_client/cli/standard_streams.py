"""The standard streams of the process: opened where they are closed, able to write any text, flushed before exit."""

from __future__ import annotations

import codecs
import io
import os
import sys

_MODES = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
"""Name and mode by descriptor."""


_ASCII = "ostinato_ascii"
"""ASCII by another name: click writes UTF-8 to a stream whose encoding is called ASCII."""


def prepare() -> None:
    """Opens the null device in place of each closed stream, and replaces characters that the encoding cannot represent.

    Otherwise the next file or socket would get the descriptor of the closed stream, and with it what libraries write
    there. Standard error needs no replacement: Python writes it with backslashes.
    """
    for descriptor, (name, mode) in enumerate(_MODES):
        if getattr(sys, name) is None:
            stream = _open_null(descriptor, mode)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
    codecs.register(_find_ascii)
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            ascii_only = codecs.lookup(output.encoding).name == "ascii"
            output.reconfigure(
                encoding=_ASCII if ascii_only else output.encoding,
                errors="replace" if output.errors in ("strict", "surrogateescape") else output.errors,
            )


def flush_failure() -> OSError | None:
    """Flushes standard output; returns why that failed."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return error
    return None


def finish(code: int) -> int:
    """Flushes both output streams before the interpreter does, which would exit with 120 if it failed.

    Returns:
        The exit code: that of the command, or 1 where the end of a successful command's output was lost.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())  # takes the rest of the buffer at exit
            os.close(null)
            code = code or int(stream is sys.stdout)
    return code


def _find_ascii(name: str) -> codecs.CodecInfo | None:
    if name != _ASCII:
        return None
    known = codecs.lookup("ascii")
    coders = (known.encode, known.decode, known.streamreader, known.streamwriter)
    return codecs.CodecInfo(*coders, known.incrementalencoder, known.incrementaldecoder, name)


def _open_null(descriptor: int, mode: str) -> io.TextIOWrapper:
    null = os.open(os.devnull, os.O_RDWR)
    if null == descriptor:
        os.set_inheritable(descriptor, True)
    else:
        os.dup2(null, descriptor)
        os.close(null)
    stream = open(descriptor, mode, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115 (as long as the process)
    assert isinstance(stream, io.TextIOWrapper)  # noqa: S101 (for the type checker)
    return stream
