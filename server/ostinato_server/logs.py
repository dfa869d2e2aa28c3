"""What the log looks like: lines for people, or one JSON object a line for programs."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

from pythonjsonlogger.json import JsonFormatter

FIELDS = "fields"
"""Attribute of a record that holds facts by name (``logger.info(…, extra={FIELDS: …})``)."""


class LineFormatter(logging.Formatter):
    """A line for people, facts behind the message as ``name=value``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the library's name)
        """The line without a traceback."""
        facts = "".join(f" {name}={value!r}" for name, value in getattr(record, FIELDS, {}).items())
        return super().formatMessage(record) + facts.replace("\n", "\\n")


class ObjectFormatter(JsonFormatter):
    """A JSON object, facts among its other members."""

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
            json_ensure_ascii=False,
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Puts the facts beside the rest, where queries find them by their own name."""
        facts = log_data.pop(FIELDS, {})
        return {**log_data, **facts}


def configure(form: str | None, level: str, stream: TextIO | None = None) -> None:
    """Sets up the log of the process.

    Args:
        form: ``text`` or ``json``; by default text on a terminal and JSON anywhere else.
        level: The least severity that is written, ``info`` for instance.
        stream: Where it goes; standard error when None.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter(form, handler.stream))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("grpc._cython.cygrpc").addFilter(_say_nothing_of_clients_that_left)


def formatter(form: str | None, stream: TextIO) -> logging.Formatter:
    """What a log looks like in a stream: as asked for, or else as those who read it there can use it."""
    text = stream.isatty() if form is None else form == "text"
    return LineFormatter() if text else ObjectFormatter()


def _say_nothing_of_clients_that_left(record: logging.LogRecord) -> bool:
    """GRPC logs a traceback when a client closes its connection while a message is being written to it."""
    return record.exc_info is None or "ExecuteBatchError" not in type(record.exc_info[1]).__name__
