"""Data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from ostinato_models.data.examples import CharacterCorpus, SentimentCorpus, TranslationCorpus
from ostinato_models.data.sst2 import load_sst2
from ostinato_models.data.tatoeba import load_tatoeba
from ostinato_models.data.tinyshakespeare import load_tinyshakespeare

Loader: TypeAlias = Callable[[Path], CharacterCorpus | SentimentCorpus | TranslationCorpus]

LOADERS: dict[str, Loader] = {
    "tinyshakespeare": load_tinyshakespeare,
    "sst2": load_sst2,
    "tatoeba-en-fr": load_tatoeba,
}
