"""SST-2 is read by its header, and what is held out shares nothing with what is trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostinato_models.data.examples import LabelledText
from ostinato_models.data.sst2 import SHARED_WORDS, hold_out_sentences, load_sst2, read_rows
from ostinato_models.errors import DataFormatError, DataHashError

PATH = Path("train.tsv")


@pytest.mark.parametrize(
    "text",
    ['sentence\tlabel\na fine film \t1\n"no" plot\t0\n', 'label\tsentence\n1\ta fine film \n0\t"no" plot\n'],
    ids=["label last", "label first"],
)
def test_columns_are_found_by_their_header(text: str) -> None:
    assert read_rows(PATH, text) == [LabelledText("a fine film", 1), LabelledText('"no" plot', 0)]


@pytest.mark.parametrize(
    ("text", "line"),
    [("", 1), ("text\tstars\na\t1\n", 1), ("sentence\tlabel\ngood\t1\nbad\t2\n", 3), ("sentence\tlabel\ngood\n", 2)],
)
def test_a_malformed_file_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(DataFormatError) as caught:
        read_rows(PATH, text)

    assert caught.value.line == line


def rows() -> list[LabelledText]:
    sentences = [f"sentence {number} has ten words or more in it , really {number}" for number in range(20)]
    phrases = [" ".join(sentence.split()[:4]) for sentence in sentences]
    return [LabelledText(text, 1) for text in sentences + phrases + ["really", "in it"]]


def test_no_training_phrase_is_a_part_of_a_held_out_sentence() -> None:
    kept, held_out = hold_out_sentences(rows(), 5)

    assert len(held_out) == 5
    assert all(len(row.text.split()) >= 10 for row in held_out)
    for row in kept:
        if len(row.text.split()) >= SHARED_WORDS:
            assert not any(f" {row.text} " in f" {sentence.text} " for sentence in held_out)
    assert LabelledText("really", 1) in kept
    assert len(kept) == len(rows()) - 2 * 5


def test_the_choice_does_not_depend_on_the_order() -> None:
    assert hold_out_sentences(rows()[::-1], 5)[1] == hold_out_sentences(rows(), 5)[1]


def test_a_folder_with_other_content_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sst2").mkdir()
    for name in ("train", "dev"):
        (tmp_path / "sst2" / f"{name}.tsv").write_text("sentence\tlabel\ngood\t1\n")

    with pytest.raises(DataHashError):
        load_sst2(tmp_path)
