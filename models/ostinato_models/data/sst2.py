"""SST-2: phrases of film reviews with their sentiment (Socher et al., 2013; GLUE, 2019).

The development set is what gets reported, so selection needs a set of its own. The training rows
are *phrases of the same sentences*, so a random sample of them would be half known: whole
sentences are held out instead, and every training phrase of three words or more in one is dropped.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from pathlib import Path

from ostinato_models.data.examples import LabelledText, SentimentCorpus
from ostinato_models.data.files import DataFile, LocatedFile, is_present, locate
from ostinato_models.errors import DataFormatError

ARCHIVE = DataFile(
    "sst2/SST-2.zip",
    "https://dl.fbaipublicfiles.com/glue/data/SST-2.zip",
    ("d67e16fb55739c1b32cdce9877596db1c127dc322d93c082281f64057c16deaa",),
)
TRAIN = DataFile(
    "sst2/train.tsv",
    None,
    ("e981ceb4fe6c9acd1c79851d0d091b9e78103f1f2a399ca83dda27915d41c56c",),
)
DEV = DataFile(
    "sst2/dev.tsv",
    None,
    ("84207e6be5873fb18db798cc6faec86871f5a426554650ff64a1c34e87665f6f",),
)

HELD_OUT_SENTENCES = 600
SENTENCE_WORDS = 10  # a phrase this long that no other phrase contains is taken for a sentence
SHARED_WORDS = 3  # shorter phrases are common words, not a trace of one sentence


def load_sst2(folder: Path) -> SentimentCorpus:
    """Read the training and development sets and hold sentences out for selection.

    The folder may have ``train.tsv`` and ``dev.tsv``; otherwise GLUE's archive is used.

    Raises:
        DataError: a file is missing, not a known one, or malformed.
    """
    if is_present(TRAIN, folder) and is_present(DEV, folder):
        located = [locate(TRAIN, folder), locate(DEV, folder)]
        train, dev = (read_rows(file.path, file.path.read_text("utf-8")) for file in located)
    else:
        located = [locate(ARCHIVE, folder)]
        train, dev = (_read_member(located[0], f"SST-2/{name}.tsv") for name in ("train", "dev"))
    kept, held_out = hold_out_sentences(train, HELD_OUT_SENTENCES)
    return SentimentCorpus("sst2", {file.name: file.sha256 for file in located}, kept, held_out, dev)


def read_rows(path: Path, text: str) -> list[LabelledText]:
    """Read tab-separated rows by their header: a ``label`` column and one of text.

    Args:
        path: named in errors.
        text: the file's content.

    Raises:
        DataFormatError: no such columns, or a label other than 0 and 1.
    """
    reader = csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    header = next(reader, [])
    texts = [name for name in ("sentence", "content", "text") if name in header]
    if "label" not in header or not texts:
        raise DataFormatError(path, 1, f"header {header}: expected `label` and `sentence`")
    label, content = header.index("label"), header.index(texts[0])
    rows: list[LabelledText] = []
    for line, row in enumerate(reader, start=2):
        if len(row) != len(header) or row[label] not in ("0", "1"):
            raise DataFormatError(path, line, "expected a text and the label 0 or 1")
        rows.append(LabelledText(row[content].strip(), int(row[label])))
    return rows


def hold_out_sentences(rows: list[LabelledText], count: int) -> tuple[list[LabelledText], list[LabelledText]]:
    """Split rows into those to train on and `count` whole sentences to select on.

    The choice depends on the texts alone, not on their order.
    """
    everything = "\n".join(f" {row.text} " for row in rows)
    candidates = sorted(
        {row for row in rows if len(row.text.split()) >= SENTENCE_WORDS},
        key=lambda row: hashlib.sha256(row.text.encode()).digest(),
    )
    held_out: list[LabelledText] = []
    for row in candidates:
        if len(held_out) == count:
            break
        if everything.count(f" {row.text} ") == 1:  # part of no other phrase
            held_out.append(row)
    sentences = "\n".join(f" {row.text} " for row in held_out)
    chosen = set(held_out)
    kept = [
        row
        for row in rows
        if row not in chosen and (len(row.text.split()) < SHARED_WORDS or f" {row.text} " not in sentences)
    ]
    return kept, held_out


def _read_member(archive: LocatedFile, member: str) -> list[LabelledText]:
    try:
        with zipfile.ZipFile(archive.path) as opened:
            text = opened.read(member).decode("utf-8")
    except (KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise DataFormatError(archive.path, 0, f"no readable {member}: {error}") from error
    return read_rows(archive.path, text)
