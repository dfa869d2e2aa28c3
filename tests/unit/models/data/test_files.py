"""A data file is used when its hash is known, refused when it is not, named when it is missing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ostinato_models.data.files import DataFile, default_folder, is_present, locate
from ostinato_models.errors import DataError, DataHashError, DataMissingError

CONTENT = b"some data"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "file.txt").write_bytes(CONTENT)
    return tmp_path


def test_a_present_file_with_a_known_hash_is_used_as_it_is(folder: Path) -> None:
    file = DataFile("set/file.txt", None, ("0" * 64, SHA256))

    located = locate(file, folder)

    assert is_present(file, folder)
    assert located.path == folder / "set" / "file.txt"
    assert located.sha256 == SHA256
    assert located.known


def test_another_content_is_refused_with_both_hashes(folder: Path) -> None:
    with pytest.raises(DataHashError) as caught:
        locate(DataFile("set/file.txt", None, ("0" * 64,)), folder)

    assert caught.value.actual == SHA256
    assert caught.value.accepted == ("0" * 64,)
    assert str(folder) in str(caught.value)


def test_another_version_of_a_renewed_file_is_used_with_a_warning(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    located = locate(DataFile("set/file.txt", None, ("0" * 64,), renewed=True), folder)

    assert located.sha256 == SHA256
    assert not located.known
    assert SHA256 in caplog.text


def test_a_file_that_only_a_folder_can_have_is_reported_missing(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError) as caught:
        locate(DataFile("set/other.txt", None, (SHA256,)), tmp_path)

    assert caught.value.name == "set/other.txt"


def test_a_file_that_cannot_be_fetched_names_its_address(tmp_path: Path) -> None:
    address = "http://127.0.0.1:9/file.txt"  # the discard port: nothing listens

    with pytest.raises(DataMissingError, match=address):
        locate(DataFile("set/other.txt", address, (SHA256,)), tmp_path)

    assert not (tmp_path / "set" / "other.txt").exists()


def test_the_environment_names_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OSTINATO_DATA", str(tmp_path))
    assert default_folder() == tmp_path

    monkeypatch.delenv("OSTINATO_DATA")
    assert default_folder().name == "data"


def test_a_user_without_a_home_is_asked_for_a_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(user: int) -> None:
        raise KeyError(user)

    for name in ("HOME", "XDG_CACHE_HOME", "OSTINATO_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)

    with pytest.raises(DataError, match=r"has no home folder.* --data-dir"):
        default_folder()
