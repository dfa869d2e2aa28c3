import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.bundles import build_tiny_bundle

from ostinato_bundle import open_bundle
from ostinato_bundle.manifest import Task
from ostinato_models.cli.evaluate import evaluate
from ostinato_models.evaluation.result import Measured

DATA: dict[str, str] = {
    "char-lm": "To be, or not to be: that is the question.\n" * 5,
    "sentiment": "label\tsentence\n1\tthis is a good film\n0\ta long , dull mess\n1\tzzz\n0\t\n",
    "translation": "the cat sees the dog .\tle chat voit le chien .\nwhere ?\toù ?\n",
}
TASKS: dict[str, Task] = {"char-lm": "generation", "sentiment": "sentiment", "translation": "translation"}
MEASURES = {"char-lm": ["nats_per_char"], "sentiment": ["accuracy", "f1"], "translation": ["bleu", "chrf"]}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(evaluate, [str(argument) for argument in arguments])


def prepared(tmp_path: Path, task: str) -> tuple[Path, Path]:
    data = tmp_path / "data.tsv"
    data.write_text(DATA[task], encoding="utf-8")
    return build_tiny_bundle(tmp_path, TASKS[task]), data


@pytest.mark.parametrize("runtime", ["onnx-int8", "torchscript"])
@pytest.mark.parametrize("task", DATA)
def test_every_task_is_measured_on_every_runtime(task: str, runtime: str, tmp_path: Path) -> None:
    bundle, data = prepared(tmp_path, task)
    result = run(task, "--bundle", bundle, "--data", data, "--runtime", runtime, "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["task"], said["runtime"], said["bundle"]) == (task, runtime, str(bundle))
    assert said["count"] == {"char-lm": 214, "sentiment": 4, "translation": 2}[task]
    for measure in MEASURES[task]:
        assert said[measure] >= 0.0
    assert said["seconds"] >= 0.0


def test_source_of_several_sentences_is_translated_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, data = prepared(tmp_path, "translation")
    data.write_text("A cat.  A dog! \U0001f600\tx\nA dog!\tx\nA cat.\tx\n...\tx\n", encoding="utf-8")
    outputs: list[str] = []

    def keep(translations: Sequence[str], sentences: object) -> Measured:
        outputs.extend(translations)
        return Measured({"bleu": 0.0}, len(translations))

    monkeypatch.setattr("ostinato_models.evaluation.bundle.score_translations", keep)
    result = run("translation", "--bundle", bundle, "--data", data)
    assert result.exit_code == 0, result.output
    both, dog, cat, nothing = outputs
    assert cat
    assert dog
    assert both == f"{cat}  {dog} \U0001f600"
    assert nothing == "..."


def test_recorded_figures_stand_in_manifest_and_card_once(tmp_path: Path) -> None:
    bundle, data = prepared(tmp_path, "sentiment")
    arguments = ["sentiment", "--bundle", bundle, "--data", data, "--record", "--data-set", "four sentences"]
    for _ in range(2):
        assert run(*arguments).exit_code == 0
    rows = open_bundle(bundle).manifest.evaluation
    assert [(row.measure, row.data_set, row.artifact) for row in rows] == [
        ("accuracy", "four sentences", "onnx-int8"),
        ("f1", "four sentences", "onnx-int8"),
    ]
    assert "| four sentences | onnx-int8 |" in (bundle / "README.md").read_text()


def test_table_shows_the_signature_in_full(tmp_path: Path) -> None:
    bundle, data = prepared(tmp_path, "translation")
    result = run("translation", "--bundle", bundle, "--data", data, "--beam-size", 3)
    assert result.exit_code == 0, result.output
    assert "bleu_signature" in result.stdout
    assert "beam_size" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--beam-size", "9"], "beam size 9: must be 1 to 8"),
        (["--split", "test"], "has no test split"),
    ],
)
def test_what_cannot_be_measured_exits_with_1_and_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    bundle, data = prepared(tmp_path, "translation")
    result = run("translation", "--bundle", bundle, "--data", data, *arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_bundle_of_another_task_is_refused(tmp_path: Path) -> None:
    bundle, data = prepared(tmp_path, "sentiment")
    result = run("translation", "--bundle", bundle, "--data", data)
    assert result.exit_code == 1
    assert "translation cannot be measured on it" in result.stderr


def test_missing_options_exit_with_2() -> None:
    assert run("sentiment").exit_code == 2
