"""A shipped model is looked for where the server looks, and its absence is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.bundles import build_tiny_bundle

from ostinato_models.cli.lab import lab
from ostinato_models.errors import ConfigurationError
from ostinato_models.lab.errors import LabError, ShippedModelError
from ostinato_models.lab.sampling.model import load_model
from ostinato_models.lab.sampling.settings import PRESETS
from ostinato_models.lab.sampling.shipped import REPOSITORY_VARIABLE, default_repository, load_shipped


def test_the_variable_comes_first_then_the_current_folder_then_the_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(REPOSITORY_VARIABLE, raising=False)
    assert default_repository().parts[-2:] == ("models", "pretrained")
    (tmp_path / "repository").mkdir()
    assert default_repository() == Path("repository")
    monkeypatch.setenv(REPOSITORY_VARIABLE, str(tmp_path / "elsewhere"))
    assert default_repository() == tmp_path / "elsewhere"


def test_the_newest_version_is_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = build_tiny_bundle(tmp_path, "generation")
    (first.parent / "2").mkdir()
    monkeypatch.setenv(REPOSITORY_VARIABLE, str(tmp_path))
    with pytest.raises(ShippedModelError, match=r"manifest\.json"):  # version 2 has none
        load_shipped(first.parent.name)
    (first.parent / "2").rmdir()
    assert load_shipped(first.parent.name).task == "generation"


@pytest.mark.parametrize("exists", [True, False])
def test_a_missing_model_is_told_with_the_place_and_the_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, exists: bool
) -> None:
    place = tmp_path if exists else tmp_path / "nowhere"
    monkeypatch.setenv(REPOSITORY_VARIABLE, str(place))
    done = CliRunner().invoke(lab, ["sampling", "--preset", "full", "--out", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert f"the model 'char-lm' cannot be loaded from {place}" in done.stderr
    assert "OSTINATO_REPOSITORY says where the models are" in done.stderr
    assert issubclass(ShippedModelError, LabError)


def test_another_task_or_an_unknown_text_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(REPOSITORY_VARIABLE, str(tmp_path))
    classifier = build_tiny_bundle(tmp_path, "sentiment").parent.name
    with pytest.raises(ConfigurationError, match="must be a character language model"):
        load_model(replace(PRESETS["full"], model=classifier), tmp_path)
    untrained = build_tiny_bundle(tmp_path, "generation").parent.name
    with pytest.raises(ConfigurationError, match="dataset = 'nothing'"):
        load_model(replace(PRESETS["full"], model=untrained), tmp_path)
