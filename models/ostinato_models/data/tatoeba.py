"""Tatoeba English-French sentence pairs, as manythings.org/anki publishes them (CC BY 2.0 FR).

One English sentence has several French versions, so the split is by English sentence: a held-out
one keeps all its translations as references and none of them is trained on.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from ostinato_models.data.examples import ReferencedSentence, SentencePair, TranslationCorpus
from ostinato_models.data.files import DataFile, locate
from ostinato_models.data.phrasebook import phrasebook
from ostinato_models.errors import DataFormatError
from ostinato_models.tokenization.normalization import typed_text

FILE = DataFile(
    "tatoeba/fra-eng.zip",
    "http://www.manythings.org/anki/fra-eng.zip",
    # A copy of 2017-09-29 with a part removed; what the address gives today is larger.
    ("27512d3eac0eb329071f58d5c0cadfc8cde6834a496b36a6a4ce0742217c5aa7",),
    renewed=True,
)

VALID_SHARE = TEST_SHARE = 0.016  # about 1,500 English sentences each


def load_tatoeba(folder: Path) -> TranslationCorpus:
    """Read the pairs and split them by a hash of the English sentence.

    Raises:
        DataError: the archive is missing or malformed.
    """
    file = locate(FILE, folder)
    try:
        with zipfile.ZipFile(file.path) as archive:
            text = archive.read("fra.txt").decode("utf-8")
    except (KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise DataFormatError(file.path, 0, f"no readable fra.txt: {error}") from error
    normalizer = typed_text()
    pairs: list[SentencePair] = []
    for line, row in enumerate(text.removesuffix("\n").split("\n"), start=1):  # other separators are a sentence's own
        parts = row.split("\t")  # later archives have a third column, the attribution
        if len(parts) < 2:
            raise DataFormatError(file.path, line, "expected English and French, tab separated")
        pairs.append(SentencePair(normalizer.normalize_str(parts[0]), normalizer.normalize_str(parts[1])))
    train, valid, test = split_by_source(pairs)
    phrases, _, _ = split_by_source(phrasebook())  # without those that are held out
    return TranslationCorpus("tatoeba-en-fr", {file.name: file.sha256}, "en", "fr", train, valid, test, phrases)


def split_by_source(
    pairs: list[SentencePair],
) -> tuple[list[SentencePair], list[ReferencedSentence], list[ReferencedSentence]]:
    """Split pairs so that sources equal but for case and punctuation stay on one side."""
    train: list[SentencePair] = []
    held_out: dict[str, dict[str, list[str]]] = {"valid": {}, "test": {}}
    for pair in pairs:
        position = _position(pair.source)
        if position < VALID_SHARE:
            held_out["valid"].setdefault(pair.source, []).append(pair.target)
        elif position < VALID_SHARE + TEST_SHARE:
            held_out["test"].setdefault(pair.source, []).append(pair.target)
        else:
            train.append(pair)
    valid, test = (
        [ReferencedSentence(source, tuple(targets)) for source, targets in held_out[name].items()]
        for name in ("valid", "test")
    )
    return train, valid, test


def _position(source: str) -> float:
    """Where a sentence falls in [0, 1), by a hash of its letters and digits."""
    key = "".join(character for character in source.casefold() if character.isalnum())
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
