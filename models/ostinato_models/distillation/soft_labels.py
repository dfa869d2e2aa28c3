"""The teacher's judgements on file: log-odds of positive, a tab, the text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from ostinato_models.data.examples import SoftlyLabelledText
from ostinato_models.errors import DataFormatError, DataMissingError


def write_soft_labels(path: Path, rows: Iterable[SoftlyLabelledText]) -> None:
    """Write `rows`, atomically."""
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(f"{row.log_odds:.4f}\t{row.text}\n" for row in rows)
    partial.replace(path)


def append_soft_labels(path: Path, rows: Iterable[SoftlyLabelledText]) -> None:
    """Add `rows` to what `path` holds, if it is there."""
    with path.open("a", encoding="utf-8", newline="\n") as stream:
        stream.writelines(f"{row.log_odds:.4f}\t{row.text}\n" for row in rows)


def read_soft_labels(path: Path) -> tuple[list[SoftlyLabelledText], str]:
    """Read the rows of `path`, and its sha256.

    Raises:
        DataError: the file cannot be read, or a line is not a finite number, a tab and a text.
    """
    try:
        content = path.read_bytes()
        lines = content.decode("utf-8").splitlines()
    except OSError as error:
        raise DataMissingError(str(path), error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise DataFormatError(path, 0, f"not UTF-8: {error}") from error
    rows: list[SoftlyLabelledText] = []
    for number, line in enumerate(lines, start=1):
        odds, tab, text = line.partition("\t")
        try:
            row = SoftlyLabelledText(text, float(odds))
        except ValueError:
            raise DataFormatError(path, number, f"{odds!r} is no number") from None
        if not tab or not text.strip() or not abs(row.log_odds) < float("inf"):
            raise DataFormatError(path, number, "expected log-odds and a text, tab separated")
        rows.append(row)
    return rows, hashlib.sha256(content).hexdigest()
