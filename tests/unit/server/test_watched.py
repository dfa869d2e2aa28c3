import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.errors import StartupError
from ostinato_server.watched import Watched, read_bytes


def number(path: Path) -> int:
    try:
        return int(read_bytes(path))
    except ValueError as error:
        raise StartupError(f"{path}: holds no number") from error


def replace(path: Path, content: str) -> None:
    """Puts a new file in the place of another, as secrets are delivered."""
    new = path.with_suffix(".new")
    new.write_text(content)
    new.rename(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "number"
    found.write_text("1")
    return found


def test_a_file_that_stays_is_read_once(path: Path) -> None:
    reads: list[int] = []
    watched = Watched([path], lambda: reads.append(1))
    watched.get()
    watched.get()
    assert reads == [1]


def test_a_replaced_file_is_read_again(path: Path) -> None:
    watched = Watched([path], lambda: number(path))
    replace(path, "22")
    assert watched.get() == 22


def test_a_file_written_in_place_with_the_same_size_is_read_again(path: Path) -> None:
    watched = Watched([path], lambda: number(path))
    path.write_text("2")
    os.utime(path, ns=(1, 1))  # whatever the granularity of the file system's clock
    assert watched.get() == 2


@given(contents=st.lists(st.sampled_from(["1", "22", "333", "x", ""]), max_size=8))
def test_the_last_good_value_stays_in_force(tmp_path_factory: pytest.TempPathFactory, contents: list[str]) -> None:
    path = tmp_path_factory.mktemp("watched") / "number"
    path.write_text("0")
    watched = Watched([path], lambda: number(path))
    good = 0
    for content in contents:
        replace(path, content)
        good = int(content) if content.isdigit() else good
        assert watched.get() == good


def test_a_file_that_went_bad_is_told_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched([path], lambda: number(path))
    path.unlink()
    assert [watched.get(), watched.get()] == [1, 1]
    (record,) = caplog.records
    assert f"{path}: cannot be read (No such file or directory); what was read before stays" in record.getMessage()


def test_a_file_that_is_bad_at_the_start_is_refused(path: Path) -> None:
    path.write_text("x")
    with pytest.raises(StartupError, match="holds no number"):
        Watched([path], lambda: number(path))


def test_an_error_that_nobody_expected_leaves_the_last_good_value_in_force(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched([path], lambda: int(path.read_bytes()))
    replace(path, "x")
    assert [watched.get(), watched.get()] == [1, 1]
    (record,) = caplog.records
    assert "what was read before stays in force" in record.getMessage()
