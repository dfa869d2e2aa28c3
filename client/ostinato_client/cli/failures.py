"""From an exception to one line on standard error and an exit code: 2 for wrong usage, 1 for all else."""

from __future__ import annotations

import os

import click

from ostinato_client.errors import ConnectionFailed, InvalidRequest, OstinatoError, Overloaded

TRACEBACK_VARIABLE = "OSTINATO_TRACEBACK"


def explain(error: Exception) -> tuple[str, int]:
    """The line that says what went wrong, and the exit code."""
    match error:
        case click.UsageError():
            command = error.ctx.command_path if error.ctx else "ostinato"
            text, code = f"{error.format_message()} (see '{command} --help')", error.exit_code
        case click.ClickException():
            text, code = error.format_message(), error.exit_code
        case OstinatoError():
            text, code = describe(error), 1
        case OSError():
            where = f"{error.filename}: " if error.filename is not None else ""
            text, code = f"{where}{error.strerror or error}", 1
        case UnicodeDecodeError():
            text = f"the input is not {error.encoding}: {error.reason} at byte {error.start + 1}"
            code = 1
        case UnicodeEncodeError():
            text = f"{error.encoding} cannot represent {error.object[error.start : error.end]!a}"
            code = 1
        case _:
            text = f"internal: {type(error).__name__}: {error}; {TRACEBACK_VARIABLE}=1 shows where"
            code = 1
    return f"error: {' '.join(text.split())}", code


def describe(error: OstinatoError, target: str = "") -> str:
    """What a failed call says, with the address where the fault is the connection's."""
    where = f"{target}: " if target else ""
    match error:
        case InvalidRequest() if error.violations:
            return "; ".join(f"{leaf(each.field)}: {each.description}" for each in error.violations)
        case InvalidRequest():
            return error.message
        case ConnectionFailed():
            return f"{where}cannot connect: {error.message}"
        case Overloaded() if error.retry_after_seconds is not None:
            return f"{where}{error.message}; try again in {error.retry_after_seconds:g} s"
        case _:
            return f"{where}{error.message}"


def leaf(field: str) -> str:
    """The last part of a field's path, which is the name of the flag: ``sampling.temperature`` → ``temperature``."""
    return field.rpartition(".")[2]


def wants_traceback() -> bool:
    """Whether the user asked to see where an unexpected error came from."""
    return bool(os.environ.get(TRACEBACK_VARIABLE))
