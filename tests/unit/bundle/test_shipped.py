"""The models that are served if none are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostinato_bundle import default_repository, shipped

BUNDLE = Path("char-lm") / "1"


def add_bundle(repository: Path) -> Path:
    (repository / BUNDLE).mkdir(parents=True)
    (repository / BUNDLE / "manifest.json").touch()
    return repository


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, for a package that no checkout holds."""
    monkeypatch.setattr(shipped, "_BESIDE_THIS_PACKAGE", tmp_path / "site-packages" / "pretrained")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_checkout_there_is_none(folder: Path) -> None:
    assert default_repository() is None


def test_the_current_folder_may_be_a_checkout(folder: Path) -> None:
    add_bundle(folder / "models" / "pretrained")

    assert default_repository() == Path("models/pretrained")


def test_another_projects_folder_of_that_name_is_not_a_repository(folder: Path) -> None:
    (folder / "models" / "pretrained" / "bert").mkdir(parents=True)
    (folder / "models" / "pretrained" / "bert" / "weights.bin").touch()

    assert default_repository() is None


def test_the_checkout_of_the_package_comes_before_the_current_folder(folder: Path) -> None:
    add_bundle(folder / "models" / "pretrained")
    own = add_bundle(folder / "site-packages" / "pretrained")

    assert default_repository() == own


def test_derived_bundles_come_before_shipped_ones(folder: Path) -> None:
    add_bundle(folder / "models" / "pretrained")
    (folder / "repository").mkdir()

    assert default_repository() == Path("repository")


def test_the_checkout_of_this_test_ships_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    found = default_repository()

    assert found == Path(__file__).parents[3] / "models" / "pretrained"
