"""The real data sets have their published sizes; needs a data folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ostinato_models.data.multi30k import load_multi30k
from ostinato_models.data.sst2 import load_sst2
from ostinato_models.data.tatoeba import load_tatoeba
from ostinato_models.data.tinyshakespeare import load_tinyshakespeare


def folder(name: str) -> Path:
    """The data folder, if it has the data set."""
    given = os.environ.get("OSTINATO_DATA")
    if given is None or not (Path(given) / name).is_dir():
        pytest.skip(f"OSTINATO_DATA names no folder with {name}")
    return Path(given)


def test_tinyshakespeare_is_split_at_nine_tenths() -> None:
    corpus = load_tinyshakespeare(folder("tinyshakespeare"))

    assert (len(corpus.train), len(corpus.valid)) == (1_003_854, 111_540)
    assert corpus.train.startswith("First Citizen:\n")
    assert len(set(corpus.train + corpus.valid)) == 65


def test_sst2_has_its_development_set_and_a_held_out_one() -> None:
    corpus = load_sst2(folder("sst2"))

    assert len(corpus.test) == 872
    assert len(corpus.valid) == 600
    assert 55_000 < len(corpus.train) < 67_349


def test_tatoeba_holds_out_between_one_and_two_thousand_sentences_each() -> None:
    corpus = load_tatoeba(folder("tatoeba"))

    assert 1000 < len(corpus.valid) < 2000
    assert 1000 < len(corpus.test) < 2000
    assert not {pair.source for pair in corpus.train} & {sentence.source for sentence in corpus.test}


def test_multi30k_has_its_published_splits() -> None:
    corpus = load_multi30k(folder("multi30k"), "de", "en")

    assert (len(corpus.train), len(corpus.valid), len(corpus.test)) == (29_000, 1014, 1000)
    assert corpus.train[0].target.startswith("Two young, White males")
