"""Help whose lines break between options and not inside one."""

from __future__ import annotations

import re
from collections.abc import Iterable

import click

_HYPHEN = "\N{NON-BREAKING HYPHEN}"
_OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")


class HelpFormatter(click.HelpFormatter):
    """Wraps text as click does, but never at the hyphen of an option."""

    def write_text(self, text: str) -> None:
        """Writes a paragraph."""
        super().write_text(_joined(text))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Writes a list of terms, each with its definition."""
        super().write_dl([(term, _joined(text)) for term, text in rows], col_max, col_spacing)

    def getvalue(self) -> str:
        """What was written."""
        return super().getvalue().replace(_HYPHEN, "-")


class Context(click.Context):
    """Formats its help so."""

    formatter_class = HelpFormatter


def wrap_between_options(command: click.Command) -> None:
    """Makes a command and those below it format their help so."""
    command.context_class = Context
    if isinstance(command, click.Group):
        for each in command.commands.values():
            wrap_between_options(each)


def _joined(text: str) -> str:
    return _OPTION.sub(lambda option: option[0].replace("-", _HYPHEN), text)
