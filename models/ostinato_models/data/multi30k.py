"""Multi30k, task 1: captions of photographs in English, German and French (Elliott et al., 2016)."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Literal, TypeAlias

from ostinato_models.data.examples import ReferencedSentence, SentencePair, TranslationCorpus
from ostinato_models.data.files import DataFile, LocatedFile, locate
from ostinato_models.errors import DataFormatError

Language: TypeAlias = Literal["de", "en", "fr"]

_ADDRESS = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw"

SHA256 = {
    "test_2016_flickr.de": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "test_2016_flickr.en": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2016_flickr.fr": "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
    "train.de": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "train.en": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "train.fr": "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c",
    "val.de": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "val.en": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "val.fr": "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9",
}

FILES = {stem: DataFile(f"multi30k/{stem}.gz", f"{_ADDRESS}/{stem}.gz", (sha256,)) for stem, sha256 in SHA256.items()}


def load_multi30k(folder: Path, source: Language, target: Language) -> TranslationCorpus:
    """Read 29,000 training, 1,014 validation and 1,000 test pairs (test_2016_flickr).

    Raises:
        DataError: a file is missing, not the known one, or its two sides differ in length.
    """
    hashes: dict[str, str] = {}
    splits: list[list[SentencePair]] = []
    for split in ("train", "val", "test_2016_flickr"):
        sides: list[list[str]] = []
        for language in (source, target):
            file = locate(FILES[f"{split}.{language}"], folder)
            hashes[file.name] = file.sha256
            sides.append(_lines(file))
            if len(sides[0]) != len(sides[-1]):
                raise DataFormatError(file.path, len(sides[-1]), f"the other side has {len(sides[0])} lines")
        splits.append([SentencePair(*pair) for pair in zip(*sides, strict=True)])
    train, valid, test = splits
    return TranslationCorpus(
        f"multi30k-{source}-{target}",
        hashes,
        source,
        target,
        train,
        [ReferencedSentence(pair.source, (pair.target,)) for pair in valid],
        [ReferencedSentence(pair.source, (pair.target,)) for pair in test],
    )


def _lines(file: LocatedFile) -> list[str]:
    try:
        with gzip.open(file.path, "rt", encoding="utf-8", newline="\n") as stream:
            return [line.strip() for line in stream]
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataFormatError(file.path, 0, f"not gzipped text: {error}") from error
