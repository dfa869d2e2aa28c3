"""`ostinato train` and `ostinato data`: arguments, exit codes, records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ostinato_models.cli.data import data
from ostinato_models.cli.train import train


def test_a_quick_training_prints_its_record_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(
        train,
        [
            "sentiment",
            "--out",
            "runs/one",
            "--epochs",
            "1",
            "--threads",
            "1",
            "--cell",
            "gru",
            "--data-dir",
            "data",
            "--json",
        ],
    )

    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["command"] == "ostinato train sentiment --out runs/one --epochs 1 --threads 1 --cell gru"
    assert record["model"]["cell"] == "gru"
    assert record["results"].keys() == {"test_loss", "accuracy"}
    assert "epoch 1" in result.stderr
    assert json.loads((tmp_path / "runs" / "one" / "config.json").read_text()) == record


@pytest.mark.parametrize(
    "arguments",
    [
        ["vision", "--out", "x"],
        ["char-lm"],
        ["char-lm", "--out", "x", "--epochs", "0"],
        ["char-lm", "--out", "x", "--attention", "dot"],
        ["translation", "--out", "x", "--cell", "gru"],
        ["char-lm", "--out", "x", "--preset", "slow"],
    ],
)
def test_wrong_usage_exits_with_2_and_makes_nothing(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert CliRunner().invoke(train, arguments).exit_code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["char-lm", "--dataset", "generated-sentiment"], "dataset = 'generated-sentiment'"),
        (["char-lm", "--device", "cuda"], "device 'cuda' is not available"),
    ],
)
def test_a_refusal_exits_with_1_and_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    if "cuda" in arguments:
        import torch

        if torch.cuda.is_available():
            pytest.skip("this machine has CUDA")

    result = CliRunner().invoke(train, [*arguments, "--out", str(tmp_path / "run")])

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_data_list_names_every_set_and_what_is_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(data, ["list", "--data-dir", str(tmp_path), "--json"])

    listed = {row["name"]: row["status"] for row in json.loads(result.stdout)["data_sets"]}
    assert listed["tinyshakespeare"] == "to fetch"
    assert listed["sst2"] == "to fetch"
    assert listed["generated-translation"] == "built in"
    assert {"tatoeba-en-fr", "multi30k-de-en", "pydoc-topics", "generated-sentiment"} <= listed.keys()


def test_data_fetch_refuses_a_file_with_another_hash(tmp_path: Path) -> None:
    (tmp_path / "tinyshakespeare").mkdir()
    (tmp_path / "tinyshakespeare" / "input.txt").write_text("Exeunt.")

    result = CliRunner().invoke(data, ["fetch", "tinyshakespeare", "--data-dir", str(tmp_path)])

    assert result.exit_code == 1
    assert "input.txt: sha256 is" in result.stderr


def test_data_fetch_reports_a_set_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "tatoeba").mkdir()
    (tmp_path / "tatoeba" / "fra-eng.zip").write_bytes(b"any")

    result = CliRunner().invoke(data, ["fetch", "tatoeba-en-fr", "--data-dir", str(tmp_path)])

    assert result.exit_code == 0
    assert "fra-eng.zip" in result.stdout
    assert "not a known version, recorded" in result.stdout
