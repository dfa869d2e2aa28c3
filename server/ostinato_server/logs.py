"""What the log looks like: lines for people, or one JSON object a line for programs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

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


class ObjectFormatter(logging.Formatter):
    """A JSON object, facts among its other members, where queries find them by their own name.

    Args:
        escaped: Whether to escape all characters that are not ASCII.
    """

    def __init__(self, *, escaped: bool = False) -> None:
        super().__init__()
        self._escaped = escaped

    def format(self, record: logging.LogRecord) -> str:
        """The object, on one line."""
        members: dict[str, Any] = {
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "time": datetime.fromtimestamp(record.created, UTC),
        }
        members |= getattr(record, FIELDS, {})
        if record.exc_info:
            members["exc_info"] = self.formatException(record.exc_info)
        if record.stack_info:
            members["stack_info"] = self.formatStack(record.stack_info)
        line = _object(members)
        return json.dumps(json.loads(line)) if self._escaped else line


def _object(members: Mapping[str, Any]) -> str:
    """By orjson, in a tenth of the time, or else by who takes lone surrogates and large numbers too."""
    try:
        return orjson.dumps(members, default=str).decode()
    except TypeError:
        return json.dumps(members, default=str)


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
    if text:
        return LineFormatter()
    # Another encoding's stream would write escapes of its own, which JSON does not know.
    return ObjectFormatter(escaped=not (stream.encoding or "utf-8").lower().startswith("utf"))


def _say_nothing_of_clients_that_left(record: logging.LogRecord) -> bool:
    """GRPC logs a traceback when a client closes its connection while a message is being written to it."""
    return record.exc_info is None or "ExecuteBatchError" not in type(record.exc_info[1]).__name__
