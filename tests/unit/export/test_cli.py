import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.bundles import build_tiny_bundle, build_tiny_repository
from tests.unit.export.test_writer import run_directory

from ostinato_bundle import discover, open_bundle
from ostinato_models.cli.export import export


def run(*arguments: object) -> Result:
    return CliRunner().invoke(export, [str(argument) for argument in arguments])


def test_run_directory_becomes_a_bundle_under_the_shipped_name(tmp_path: Path) -> None:
    training, repository = tmp_path / "run", tmp_path / "repository"
    training.mkdir()
    result = run(run_directory(training), "--out", repository, "--artifacts", "onnx-int8", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["name"], said["version"], said["path"]) == ("sentiment", 1, str(repository / "sentiment" / "1"))
    assert said["parity"][0]["file"] == "classifier.int8.onnx"
    assert open_bundle(Path(said["path"])).manifest.artifacts() == {"onnx-int8"}


def test_whole_repository_is_derived_at_once(tmp_path: Path) -> None:
    shipped = build_tiny_repository(tmp_path / "shipped")
    result = run("--bundle", shipped, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    names = [open_bundle(path).manifest.name for path in discover(tmp_path / "out")]
    assert names == ["char-lm", "sentiment", "translation-en-fr"]


def test_name_and_version_may_be_chosen(tmp_path: Path) -> None:
    bundle = build_tiny_bundle(tmp_path, "sentiment")
    result = run("--bundle", bundle, "--out", tmp_path / "out", "--name", "mood", "--version", 3, "--artifacts", "onnx")
    assert result.exit_code == 0, result.output
    assert open_bundle(tmp_path / "out" / "mood" / "3").manifest.version == 3


@pytest.mark.parametrize("arguments", [[], ["--artifacts", "onnx-fp8", "--bundle", "."], ["--bundle", "nowhere"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_unfinished_training_exits_with_1_and_one_line(tmp_path: Path) -> None:
    result = run(tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr == f"Error: {tmp_path / 'config.json'} is missing: is the training finished?\n"
    assert not (tmp_path / "out").exists()


def test_name_that_no_server_would_serve_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    bundle = build_tiny_bundle(tmp_path, "sentiment")
    result = run("--bundle", bundle, "--out", tmp_path / "out", "--name", "../escape")
    assert result.exit_code == 1
    assert "'../escape' is no model name" in result.stderr
    assert not (tmp_path / "out").exists()
