"""Standard input in place of a text of the command line, where that is ``-``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import click

DASH = "-"

MAX_BYTES = 64 * 1024 * 1024
"""The most that is read as one text; a server takes messages of 4 MiB unless configured otherwise."""

_CLAIMED = f"{__name__}.claimed"


def check_once(texts: Sequence[str]) -> None:
    """Checks that standard input takes the place of one text at most.

    Raises:
        click.UsageError: Several of the texts are ``-``.
    """
    if sum(text == DASH for text in texts) > 1:
        raise click.UsageError("standard input can be read only once: give - once.")


def given_text(text: str) -> str:
    r"""The text, or all of standard input in place of a ``-``.

    A byte order mark is removed, line ends become ``\n``, and one line end at the end of the input is removed.

    Raises:
        click.UsageError: Standard input already takes the place of another text of the command.
        click.ClickException: Standard input is not UTF-8 or is too large.
    """
    if text != DASH:
        return text
    claim()
    with open(sys.stdin.fileno(), "rb", closefd=False) as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise click.ClickException(
            f"standard input has more than {MAX_BYTES:,} bytes, the most that is read as one text; give a shorter one"
        )
    lines = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return "\n".join(_decoded(line, number) for number, line in enumerate(lines, 1)).removesuffix("\n")


def read_lines() -> Iterator[str]:
    """The lines of standard input that are not blank, as they come and without their ends.

    They are read through a buffer of their own: the transport reads them in a thread, which may wait for one when the
    command ends. Python closes ``sys.stdin`` as it exits, and aborts where a thread holds that buffer's lock.

    Raises:
        click.ClickException: A line is not UTF-8.
    """
    with open(sys.stdin.fileno(), encoding="utf-8-sig", errors="surrogateescape", closefd=False) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _decoded(line.encode(errors="surrogateescape"), number).rstrip("\r\n")


def claim() -> None:
    """Notes that the command reads standard input.

    Raises:
        click.UsageError: It already does, for another text.
    """
    meta = click.get_current_context().meta
    if meta.get(_CLAIMED):
        check_once((DASH, DASH))
    meta[_CLAIMED] = True


def _decoded(line: bytes, number: int) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise click.ClickException(
            f"standard input, line {number}: byte {error.start + 1} (0x{line[error.start]:02x}) is not UTF-8; "
            "convert the input to UTF-8, for instance with iconv"
        ) from error
