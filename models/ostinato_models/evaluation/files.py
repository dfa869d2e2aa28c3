"""The data that an evaluation reads: plain text, labelled texts, sentences with references."""

from __future__ import annotations

import gzip
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ostinato_models.data.examples import NEGATIVE, POSITIVE, LabelledText, ReferencedSentence
from ostinato_models.data.tatoeba import load_tatoeba
from ostinato_models.errors import DataFormatError, DataMissingError
from ostinato_models.evaluation.errors import EvaluationError

UNDECIDED = 0.3
"""Mean ratings nearer to 0 than this say nothing."""
STANDARD_INPUT = Path("-")
"""Stands for standard input where a data file is named."""

TEXT_COLUMNS = ("sentence", "content", "text")

_LINE_END = re.compile(r"\r\n?")
"""A line end of Windows or of the classic Mac OS."""


class PlainText(NamedTuple):
    """A text to score.

    Attributes:
        context: what comes before the part to score.
        text: the part to score.
        mapped_line_ends: how many line ends of the file became line feeds.
    """

    context: str
    text: str
    mapped_line_ends: int


def read_text(path: Path, split: str, *, universal_newlines: bool = False) -> PlainText:
    """Read a plain text.

    Args:
        path: the file.
        split: ``all``, or ``valid`` for the last 10 %, cut where training cuts it.
        universal_newlines: whether CR LF and CR become LF, as a model needs whose vocabulary has only LF.

    Raises:
        DataError: the file cannot be read, or has fewer than two characters in it: one is predicted from the other.
        EvaluationError: there is no such split.
    """
    if split not in ("all", "valid"):
        raise EvaluationError(f"a plain text has no {split} split, only valid, the last 10 %")
    text, mapped = _read(path), 0
    if universal_newlines:
        text, mapped = _LINE_END.subn("\n", text)
    if len(text) < 2:
        raise DataFormatError(path, 1, "too short: a character is predicted from those before it")
    cut = len(text) * 9 // 10 if split == "valid" else 0
    return PlainText(text[:cut], text[cut:], mapped)


def read_labelled(path: Path) -> list[LabelledText]:
    """Read tab-separated labels, 0 or 1, and texts; a header may say which column is which.

    Without one, the column whose first row is 0 or 1 holds the labels. Empty lines are passed over. Three columns
    without a header are a number, the mean of people's ratings from -4 to 4 and a text, as VADER's ground truth has
    them (Hutto & Gilbert, 2014); texts whose mean is within `UNDECIDED` of 0 are left out.

    Raises:
        DataError: the file cannot be read, has no text in it, or a row is malformed.
    """
    rows = list(_rows(path))
    if _is_rating(rows[0][1]):
        return _rated(path, rows)
    first, head = rows[0][0], [cell.strip().lower() for cell in rows[0][1]]
    texts = [name for name in TEXT_COLUMNS if name in head]
    if "label" in head and texts:
        label, text = head.index("label"), head.index(texts[0])
        del rows[0]
    elif len(head) == 2 and {"0", "1"}.intersection(head):
        label = 0 if head[0] in ("0", "1") else 1
        text = 1 - label
    else:
        raise DataFormatError(path, first, "expected a label, 0 or 1, and a text, or a header that names both")
    for line, row in rows:
        if len(row) != len(head) or row[label].strip() not in ("0", "1"):
            raise DataFormatError(path, line, "expected a text and the label 0 or 1")
    if not rows:
        raise DataFormatError(path, first, "no text follows the header")
    return [LabelledText(row[text].strip(), int(row[label])) for _, row in rows]


def _is_rating(row: list[str]) -> bool:
    return len(row) == 3 and re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", row[1].strip()) is not None


def _rated(path: Path, rows: list[tuple[int, list[str]]]) -> list[LabelledText]:
    texts: list[LabelledText] = []
    for line, row in rows:
        if not _is_rating(row):
            raise DataFormatError(path, line, "expected a number, a mean rating from -4 to 4 and a text")
        rating = float(row[1])
        if abs(rating) >= UNDECIDED:
            texts.append(LabelledText(row[2].strip(), POSITIVE if rating > 0 else NEGATIVE))
    if not texts:
        raise DataFormatError(path, rows[0][0], f"no rating is {UNDECIDED} or more from 0")
    return texts


def read_translations(path: Path, split: str) -> list[ReferencedSentence]:
    """Read tab-separated sources and references; lines with the same source give it several references.

    What follows on a line, and empty lines, are passed over.

    Args:
        path: the file, or Tatoeba's archive in a data folder.
        split: ``all``; for the archive ``valid`` or ``test``, as training holds them out.

    Raises:
        DataError: the file cannot be read, has no sentence in it, or a line is malformed.
        EvaluationError: there is no such split.
    """
    if path.suffix == ".zip":
        corpus = load_tatoeba(path.parent.parent)
        if split not in ("valid", "test"):
            raise EvaluationError("an archive has training sentences in it: choose its valid or test split")
        return corpus.valid if split == "valid" else corpus.test
    if split != "all":
        raise EvaluationError(f"{path} has no {split} split; only Tatoeba's archive has")
    references: dict[str, list[str]] = {}
    for line, row in _rows(path):
        source, reference = row[0].strip(), "".join(row[1:2]).strip()
        if not (source and reference):
            raise DataFormatError(path, line, "expected a source and a reference, tab separated")
        references.setdefault(source, []).append(reference)
    return [ReferencedSentence(source, tuple(given)) for source, given in references.items()]


def read_parallel(sources: Path, references: Path) -> list[ReferencedSentence]:
    """Read two texts of which the second translates the first line by line, as WMT and Multi30k publish them.

    Args:
        sources: a source a line; gzipped if its name ends in ``.gz``.
        references: a reference a line, likewise.

    Raises:
        DataError: a file cannot be read or has no text in it, or they differ in length.
    """
    left, right = (_filled(path).removesuffix("\n").split("\n") for path in (sources, references))
    if len(left) != len(right):
        raise DataFormatError(references, len(right), f"{sources.name} has {len(left)} lines")
    return [
        ReferencedSentence(source.strip(), (reference.strip(),)) for source, reference in zip(left, right, strict=True)
    ]


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The line number and the tab-separated cells of every line with text; only a line feed ends a line."""
    for line, row in enumerate(_filled(path).split("\n"), 1):
        if row.strip():
            yield line, row.split("\t")


def _filled(path: Path) -> str:
    """The file's text, which is more than white space."""
    text = _read(path)
    if not text.strip():
        raise DataFormatError(path, 0, "there is no text in it")
    return text


def _read(path: Path) -> str:
    """The file's text, unpacked if need be, line ends as they are, without a byte order mark."""
    try:
        if path == STANDARD_INPUT:
            path, content = Path("standard input"), sys.stdin.buffer.read()
        else:
            content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataFormatError(path, 0, f"not gzipped text: {error}") from error
    except OSError as error:
        raise DataMissingError(str(path), error.strerror or str(error)) from error
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise DataFormatError(path, content.count(b"\n", 0, error.start) + 1, f"not UTF-8: {error.reason}") from error
