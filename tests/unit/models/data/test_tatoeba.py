"""Tatoeba is split by English sentence: all its translations stay together."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from ostinato_models.data.examples import SentencePair
from ostinato_models.data.tatoeba import load_tatoeba, split_by_source
from ostinato_models.errors import DataFormatError

PAIRS = [
    SentencePair(f"Sentence number {number}{mark}", f"Phrase {number}, version {version}")
    for number in range(2000)
    for mark in (".", "!")
    for version in (1, 2)
]


def archive(folder: Path, text: str) -> None:
    (folder / "tatoeba").mkdir()
    with zipfile.ZipFile(folder / "tatoeba" / "fra-eng.zip", "w") as opened:
        opened.writestr("fra.txt", text)


def test_no_sentence_is_on_two_sides_even_with_other_punctuation() -> None:
    train, valid, test = split_by_source(PAIRS)
    numbers = [{pair.source.rstrip(".!") for pair in side} for side in (train, valid, test)]

    assert not numbers[0] & numbers[1]
    assert not numbers[0] & numbers[2]
    assert not numbers[1] & numbers[2]
    assert len(train) + sum(len(sentence.references) for sentence in valid + test) == len(PAIRS)


def test_a_held_out_sentence_has_all_its_references() -> None:
    _, valid, test = split_by_source(PAIRS)

    assert all(len(sentence.references) == 2 for sentence in valid + test)
    assert 20 < len(valid) < 120
    assert 20 < len(test) < 120


def test_an_attribution_column_is_ignored(tmp_path: Path) -> None:
    archive(tmp_path, "Hi.\tSalut.\tCC-BY 2.0\nGo!\tVa !\n")

    corpus = load_tatoeba(tmp_path)

    assert {(pair.source, pair.target) for pair in corpus.train} == {("Hi.", "Salut."), ("Go!", "Va !")}
    assert list(corpus.files) == ["tatoeba/fra-eng.zip"]


def test_a_separator_within_a_sentence_ends_no_row(tmp_path: Path) -> None:
    archive(tmp_path, "Hi.\tSalut\u2028!\nGo!\tVa !\n")

    assert SentencePair("Hi.", "Salut !") in load_tatoeba(tmp_path).train


def test_a_row_without_a_translation_is_refused_with_its_line(tmp_path: Path) -> None:
    archive(tmp_path, "Hi.\tSalut.\nGo!\n")

    with pytest.raises(DataFormatError) as caught:
        load_tatoeba(tmp_path)

    assert caught.value.line == 2


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tatoeba").mkdir()
    (tmp_path / "tatoeba" / "fra-eng.zip").write_text("not a zip")

    with pytest.raises(DataFormatError, match=r"fra\.txt"):
        load_tatoeba(tmp_path)


def test_no_phrase_of_the_phrasebook_is_one_that_is_held_out(tmp_path: Path) -> None:
    archive(tmp_path, "Hi.\tSalut.\n")
    phrases = load_tatoeba(tmp_path).phrases
    train, valid, test = split_by_source(phrases)
    assert phrases == train
    assert len(phrases) > 250
    assert (valid, test) == ([], [])
