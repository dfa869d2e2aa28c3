import gzip
from pathlib import Path

import pytest

from ostinato_models.data.examples import LabelledText, ReferencedSentence
from ostinato_models.errors import DataFormatError
from ostinato_models.evaluation.errors import EvaluationError
from ostinato_models.evaluation.files import read_labelled, read_parallel, read_text, read_translations


def file(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "data.tsv"
    path.write_text(content, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize(
    "content",
    [
        'label\tsentence\n1\tgood film\n0\tbad "film\n',
        'sentence\tlabel\ngood film\t1\nbad "film\t0\n',
        'id\tcontent\tlabel\n7\tgood film\t1\n8\tbad "film\t0\n',
        '1\tgood film\n0\tbad "film\n',
        'good film\t1\nbad "film\t0\n',
    ],
)
def test_labels_are_found_by_header_or_by_their_values(tmp_path: Path, content: str) -> None:
    assert read_labelled(file(tmp_path, content)) == [LabelledText("good film", 1), LabelledText('bad "film', 0)]


@pytest.mark.parametrize(
    ("content", "line"),
    [("sentence\tmood\nfine\t1\n", 1), ("label\tsentence\n1\ta\n2\tb\n", 3), ("1\ta\nb\n", 2), ("one column\n", 1)],
)
def test_malformed_row_is_named(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(DataFormatError) as refused:
        read_labelled(file(tmp_path, content))
    assert refused.value.line == line


def test_lines_with_one_source_are_its_references(tmp_path: Path) -> None:
    path = file(tmp_path, "Hi.\tSalut !\tattribution\nGo.\tVa !\nHi.\tSalut.\n")
    assert read_translations(path, "all") == [
        ReferencedSentence("Hi.", ("Salut !", "Salut.")),
        ReferencedSentence("Go.", ("Va !",)),
    ]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_two_texts_are_read_line_by_line(tmp_path: Path, suffix: str) -> None:
    paths = [tmp_path / f"test.{language}{suffix}" for language in ("de", "en")]
    for path, text in zip(paths, ("Hallo.\nGut so\u2028!\n", "Hello.\nWell done!"), strict=True):
        content = text.encode()
        path.write_bytes(gzip.compress(content) if suffix else content)
    assert read_parallel(*paths) == [
        ReferencedSentence("Hallo.", ("Hello.",)),
        ReferencedSentence("Gut so\u2028!", ("Well done!",)),
    ]


def test_texts_of_different_length_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n2\n")
    (tmp_path / "b").write_text("1\n")
    with pytest.raises(DataFormatError, match="b:1: a has 2 lines"):
        read_parallel(tmp_path / "a", tmp_path / "b")


def test_line_without_a_reference_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"data\.tsv:2: expected a source and a reference"):
        read_translations(file(tmp_path, "Hi.\tSalut !\nGo.\n"), "all")


def test_last_tenth_of_a_text_is_what_training_held_out(tmp_path: Path) -> None:
    path = file(tmp_path, "0123456789\r\nabcdefghi")
    assert read_text(path, "valid") == ("0123456789\r\nabcdef", "ghi")
    assert read_text(path, "all") == ("", "0123456789\r\nabcdefghi")


def test_split_that_a_file_does_not_have_is_refused(tmp_path: Path) -> None:
    path = file(tmp_path, "Hi.\tSalut !\n")
    with pytest.raises(EvaluationError, match="no test split"):
        read_translations(path, "test")
    with pytest.raises(EvaluationError, match="no test split"):
        read_text(path, "test")
