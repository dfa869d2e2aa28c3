"""Soft labels come back as written, and a malformed file is refused with its line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_models.data.examples import SoftlyLabelledText
from ostinato_models.distillation.soft_labels import read_soft_labels, write_soft_labels
from ostinato_models.errors import DataFormatError, DataMissingError

TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1)


@given(rows=st.lists(st.builds(SoftlyLabelledText, TEXTS, st.floats(-20, 20).map(lambda x: round(x, 4)))))
def test_rows_come_back(tmp_path_factory: pytest.TempPathFactory, rows: list[SoftlyLabelledText]) -> None:
    path = tmp_path_factory.mktemp("labels") / "soft_labels.tsv"
    write_soft_labels(path, rows)
    assert read_soft_labels(path) == (rows, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize(
    ("line", "message"),
    [("good\t1.5", "'good' is no number"), ("1.5", "expected"), ("1.5\t ", "expected"), ("inf\tx", "expected")],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "soft_labels.tsv"
    path.write_text(f"0.5\tfine\n{line}\n")
    with pytest.raises(DataFormatError, match=f"soft_labels.tsv:2: .*{message}"):
        read_soft_labels(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match=r"absent\.tsv"):
        read_soft_labels(tmp_path / "absent.tsv")
