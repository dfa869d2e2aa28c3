import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from ostinato_models.data.examples import LabelledText, ReferencedSentence
from ostinato_models.errors import DataFormatError
from ostinato_models.evaluation.errors import EvaluationError
from ostinato_models.evaluation.files import read_labelled, read_parallel, read_text, read_translations


def file(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "data.tsv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def labelled(path: Path) -> object:
    return read_labelled(path)


def text(path: Path) -> object:
    return read_text(path, "all")


def translations(path: Path) -> object:
    return read_translations(path, "all")


def parallel(path: Path) -> object:
    return read_parallel(path, path)


@pytest.mark.parametrize(
    "content",
    [
        'label\tsentence\n1\tgood film\n0\tbad "film\n',
        'sentence\tlabel\ngood film\t1\nbad "film\t0\n',
        'id\tcontent\tlabel\n7\tgood film\t1\n8\tbad "film\t0\n',
        '1\tgood film\n0\tbad "film\n',
        'good film\t1\nbad "film\t0\n',
        '\ufeff1\tgood film\r\n\r\n0\tbad "film\r\n\r\n',
    ],
)
def test_labels_are_found_by_header_or_by_their_values(tmp_path: Path, content: str) -> None:
    assert read_labelled(file(tmp_path, content)) == [LabelledText("good film", 1), LabelledText('bad "film', 0)]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("sentence\tmood\nfine\t1\n", 1),
        ("label\tsentence\n1\ta\n2\tb\n", 3),
        ("1\ta\nb\n", 2),
        ("1\ta\n\n\nb\n", 4),
        ("\nlabel\tsentence\n", 2),
        ("one column\n", 1),
    ],
)
def test_malformed_row_is_named(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(DataFormatError) as refused:
        read_labelled(file(tmp_path, content))
    assert refused.value.line == line


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    odd = "a\u2028b\x85c\x0bd\re"
    assert read_labelled(file(tmp_path, f"1\t{odd}\n")) == [LabelledText(odd, 1)]
    assert read_translations(file(tmp_path, f"{odd}\tOui.\n"), "all") == [ReferencedSentence(odd, ("Oui.",))]


@pytest.mark.parametrize(
    ("read", "content", "message"),
    [
        (labelled, "", r"data\.tsv: there is no text in it"),
        (translations, "\n \n", r"data\.tsv: there is no text in it"),
        (parallel, "\n", r"data\.tsv: there is no text in it"),
        (text, "a", r"data\.tsv:1: too short"),
        (labelled, b"1\ta\n0\t\xff\n", r"data\.tsv:2: not UTF-8: invalid start byte"),
    ],
)
def test_file_without_what_is_measured_is_named(
    tmp_path: Path, read: Callable[[Path], object], content: str | bytes, message: str
) -> None:
    with pytest.raises(DataFormatError, match=message):
        read(file(tmp_path, content))


@pytest.mark.parametrize("content", [b"1\ta\n", gzip.compress(b"1\ta\n" * 9)[:-9]])
def test_file_that_is_not_gzipped_as_its_name_says_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.gz"
    path.write_bytes(content)
    with pytest.raises(DataFormatError, match=r"data\.gz: not gzipped text"):
        read_text(path, "all")


def test_lines_with_one_source_are_its_references(tmp_path: Path) -> None:
    path = file(tmp_path, "Hi.\tSalut !\tattribution\n\nGo.\tVa !\nHi.\tSalut.\n")
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


@pytest.mark.parametrize("line", ["Go.", "Go.\t", "\tVa !"])
def test_line_without_a_source_or_a_reference_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataFormatError, match=r"data\.tsv:3: expected a source and a reference"):
        read_translations(file(tmp_path, f"Hi.\tSalut !\n\n{line}\n"), "all")


def test_last_tenth_of_a_text_is_what_training_held_out(tmp_path: Path) -> None:
    path = file(tmp_path, "0123456789\r\nabcdefghi")
    assert read_text(path, "valid") == ("0123456789\r\nabcdef", "ghi", 0)
    assert read_text(path, "all") == ("", "0123456789\r\nabcdefghi", 0)
    assert read_text(path, "all", universal_newlines=True) == ("", "0123456789\nabcdefghi", 1)


def test_split_that_a_file_does_not_have_is_refused(tmp_path: Path) -> None:
    path = file(tmp_path, "Hi.\tSalut !\n")
    with pytest.raises(EvaluationError, match="no test split"):
        read_translations(path, "test")
    with pytest.raises(EvaluationError, match="no test split"):
        read_text(path, "test")


def test_mean_ratings_become_labels_and_undecided_texts_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "ratings.txt"
    path.write_text("1_1\t-0.9\tit broke .\n1_2\t-0.15\ta title .\n2_1\t2.5\ti love it\n", encoding="utf-8-sig")
    assert read_labelled(path) == [LabelledText("it broke .", 0), LabelledText("i love it", 1)]


def test_a_row_without_a_rating_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "ratings.txt"
    path.write_text("1\t-0.9\tit broke\n2\tbad\tit broke\n", encoding="utf-8")
    with pytest.raises(DataFormatError, match="mean rating") as caught:
        read_labelled(path)
    assert caught.value.line == 2
