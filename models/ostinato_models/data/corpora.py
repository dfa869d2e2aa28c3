"""Data sets by name: where a preset's data set comes from, and which files it needs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeAlias

from ostinato_models.data import multi30k, sst2, tatoeba, tinyshakespeare
from ostinato_models.data.examples import CharacterCorpus, SentimentCorpus, TranslationCorpus
from ostinato_models.data.files import DataFile, is_present
from ostinato_models.data.pydoc_topics import load_pydoc_topics
from ostinato_models.data.sentiment_grammar import generate_sentiment
from ostinato_models.data.translation_grammar import generate_translation
from ostinato_models.errors import ConfigurationError

Corpus: TypeAlias = CharacterCorpus | SentimentCorpus | TranslationCorpus


class Loader(Protocol):
    """Reads a data set from a data folder."""

    def __call__(self, folder: Path) -> Corpus:
        """The data set."""


class DataSet(NamedTuple):
    """A data set by name.

    Attributes:
        task: the task it is for.
        files: what it is read from; empty when it ships with the program.
        prepared: files a data folder may hold in their place.
        licence: under what terms it may be used.
        load: reads it.
    """

    task: str
    files: tuple[DataFile, ...]
    prepared: tuple[DataFile, ...]
    licence: str
    load: Loader

    def needed(self, folder: Path) -> tuple[DataFile, ...]:
        """The files to look for: the prepared ones where the folder has them all."""
        if self.prepared and all(is_present(file, folder) for file in self.prepared):
            return self.prepared
        return self.files


def _multi30k(source: multi30k.Language, target: multi30k.Language) -> DataSet:
    files = tuple(file for stem, file in multi30k.FILES.items() if stem.endswith((f".{source}", f".{target}")))
    load = partial(multi30k.load_multi30k, source=source, target=target)
    return DataSet("translation", files, (), "research and educational use", load)


DATA_SETS: Mapping[str, DataSet] = MappingProxyType(
    {
        "tinyshakespeare": DataSet(
            "char-lm", (tinyshakespeare.FILE,), (), "public domain", tinyshakespeare.load_tinyshakespeare
        ),
        "sst2": DataSet("sentiment", (sst2.ARCHIVE,), (sst2.TRAIN, sst2.DEV), "see gluebenchmark.com", sst2.load_sst2),
        "tatoeba-en-fr": DataSet("translation", (tatoeba.FILE,), (), "CC BY 2.0 FR", tatoeba.load_tatoeba),
        "multi30k-de-en": _multi30k("de", "en"),
        "multi30k-en-de": _multi30k("en", "de"),
        "multi30k-en-fr": _multi30k("en", "fr"),
        "pydoc-topics": DataSet("char-lm", (), (), "PSF", lambda folder: load_pydoc_topics()),
        "generated-sentiment": DataSet("sentiment", (), (), "this project's", lambda folder: generate_sentiment()),
        "generated-translation": DataSet(
            "translation", (), (), "this project's", lambda folder: generate_translation()
        ),
    }
)


def find_data_set(name: str) -> DataSet:
    """The data set called `name`.

    Raises:
        ConfigurationError: there is none.
    """
    found = DATA_SETS.get(name)
    if found is None:
        raise ConfigurationError("dataset", name, f"one of {', '.join(DATA_SETS)}")
    return found
