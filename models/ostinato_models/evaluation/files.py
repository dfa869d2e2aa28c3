"""The data that an evaluation reads: plain text, labelled texts, sentences with references."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

from ostinato_models.data.examples import LabelledText, ReferencedSentence
from ostinato_models.data.tatoeba import load_tatoeba
from ostinato_models.errors import DataFormatError, DataMissingError
from ostinato_models.evaluation.errors import EvaluationError

TEXT_COLUMNS = ("sentence", "content", "text")


def read_text(path: Path, split: str) -> tuple[str, str]:
    """Read a plain text.

    Args:
        path: the file.
        split: ``all``, or ``valid`` for the last 10 %, cut where training cuts it.

    Returns:
        What comes before the part to score, and that part.

    Raises:
        DataError: the file cannot be read.
        EvaluationError: there is no such split.
    """
    text = _read(path)
    if split == "all":
        return "", text
    if split == "valid":
        cut = len(text) * 9 // 10
        return text[:cut], text[cut:]
    raise EvaluationError(f"a plain text has no {split} split, only valid, the last 10 %")


def read_labelled(path: Path) -> list[LabelledText]:
    """Read tab-separated labels, 0 or 1, and texts; a header may say which column is which.

    Without one, the column whose first row is 0 or 1 holds the labels.

    Raises:
        DataError: the file cannot be read, or a row is malformed.
    """
    lines = csv.reader(_read(path).splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    rows = [row for row in lines if row]
    if not rows:
        return []
    head = [cell.strip().lower() for cell in rows[0]]
    texts = [name for name in TEXT_COLUMNS if name in head]
    start = 1
    if "label" in head and texts:
        label, text = head.index("label"), head.index(texts[0])
    elif len(head) == 2 and {"0", "1"}.intersection(head):
        label = 0 if head[0] in ("0", "1") else 1
        text, start = 1 - label, 0
    else:
        raise DataFormatError(path, 1, "expected a label, 0 or 1, and a text, or a header that names both")
    for line, row in enumerate(rows[start:], start + 1):
        if len(row) != len(head) or row[label].strip() not in ("0", "1"):
            raise DataFormatError(path, line, "expected a text and the label 0 or 1")
    return [LabelledText(row[text].strip(), int(row[label])) for row in rows[start:]]


def read_translations(path: Path, split: str) -> list[ReferencedSentence]:
    """Read tab-separated sources and references; lines with the same source give it several references.

    Args:
        path: the file, or Tatoeba's archive in a data folder.
        split: ``all``; for the archive ``valid`` or ``test``, as training holds them out.

    Raises:
        DataError: the file cannot be read, or a line is malformed.
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
    for line, row in enumerate(_read(path).splitlines(), 1):
        parts = row.split("\t")
        if len(parts) < 2:
            raise DataFormatError(path, line, "expected a source and a reference, tab separated")
        references.setdefault(parts[0].strip(), []).append(parts[1].strip())
    return [ReferencedSentence(source, tuple(given)) for source, given in references.items()]


def read_parallel(sources: Path, references: Path) -> list[ReferencedSentence]:
    """Read two texts of which the second translates the first line by line, as WMT and Multi30k publish them.

    Args:
        sources: a source a line; gzipped if its name ends in ``.gz``.
        references: a reference a line, likewise.

    Raises:
        DataError: a file cannot be read, or they differ in length.
    """
    left, right = (_read(path).removesuffix("\n").split("\n") for path in (sources, references))
    if len(left) != len(right):
        raise DataFormatError(references, len(right), f"{sources.name} has {len(left)} lines")
    return [
        ReferencedSentence(source.strip(), (reference.strip(),)) for source, reference in zip(left, right, strict=True)
    ]


def _read(path: Path) -> str:
    """The file's text, unpacked if need be, line ends as they are."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8", newline="") as packed:
                return packed.read()
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise DataFormatError(path, 0, f"not UTF-8: {error}") from error
    except EOFError as error:
        raise DataFormatError(path, 0, f"not gzipped text: {error}") from error
    except OSError as error:
        raise DataMissingError(str(path), error.strerror or str(error)) from error
