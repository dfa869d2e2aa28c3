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


@pytest.mark.parametrize("task", ["sentiment", "translation"])
def test_a_variant_changes_what_is_read_and_is_recorded_by_its_name(task: str, tmp_path: Path) -> None:
    bundle, data = prepared(tmp_path, task)
    result = run(task, "--bundle", bundle, "--data", data, "--variant", "hurried", "--record", "--json")
    assert result.exit_code == 0, result.output
    wanted = {"sentiment": {"accuracy (hurried)"}, "translation": {"bleu (hurried)", "runaways (hurried)"}}[task]
    assert {row.measure for row in open_bundle(bundle).manifest.evaluation} == wanted


def test_a_sentence_has_no_variant_of_a_review(tmp_path: Path) -> None:
    bundle, data = prepared(tmp_path, "translation")
    result = run("translation", "--bundle", bundle, "--data", data, "--variant", "scraped")
    assert result.exit_code == 1
    assert "variant 'scraped': must be one of no-final-mark, lower-initial" in result.output


def test_minimal_pairs_take_the_place_of_data(tmp_path: Path) -> None:
    bundle, data = prepared(tmp_path, "sentiment")
    said = json.loads(run("sentiment", "--bundle", bundle, "--pairs", "--json").stdout)
    assert said["count"] == 440
    for arguments in (["--pairs", "--data", data], []):
        assert (
            "Give --data, or --pairs for a sentiment model." in run("sentiment", "--bundle", bundle, *arguments).output
        )


@pytest.mark.parametrize(
    ("task", "arguments", "message"),
    [
        ("translation", ["--words", "9"], "--words goes with a sentiment model"),
        ("char-lm", ["--variant", "lower"], "--variant with sentiment and translation"),
    ],
)
def test_options_of_other_tasks_are_refused(task: str, arguments: list[str], message: str, tmp_path: Path) -> None:
    bundle, data = prepared(tmp_path, task)
    result = run(task, "--bundle", bundle, "--data", data, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_texts_of_a_class_are_joined_to_the_length_asked_for(tmp_path: Path) -> None:
    bundle, data = prepared(tmp_path, "sentiment")
    data.write_text("1\tgood film\n0\tdull mess\n1\ta joy\n1\tso good\n1\tnice\n", encoding="utf-8")
    said = json.loads(run("sentiment", "--bundle", bundle, "--data", data, "--words", 4, "--json").stdout)
    assert said["count"] == 2  # "dull mess", all that there is of its class, and "good film a joy"


def scored(tmp_path: Path, text: str, *arguments: object) -> dict[str, object]:
    data = tmp_path / f"text{len(list(tmp_path.iterdir()))}.txt"
    data.write_bytes(text.encode())
    bundle = tmp_path / "char-lm" / "1"
    if not bundle.exists():
        build_tiny_bundle(tmp_path, "generation")
    result = run("char-lm", "--bundle", bundle, "--data", data, "--json", *arguments)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


@pytest.mark.parametrize("runtime", ["onnx-int8", "torchscript"])
def test_unknown_character_is_not_scored_as_the_last_of_the_vocabulary(tmp_path: Path, runtime: str) -> None:
    known = scored(tmp_path, "The ca", "--runtime", runtime)
    unknown = scored(tmp_path, "The ca\u00e9", "--runtime", runtime)
    last = scored(tmp_path, "The caz", "--runtime", runtime)
    assert unknown["nats_per_char"] == pytest.approx(known["nats_per_char"], abs=1e-6)
    assert (known["unknown_tokens"], unknown["unknown_tokens"], last["unknown_tokens"]) == (0, 1, 0)
    assert (unknown["count"], last["count"]) == (5, 6)


def test_unknown_characters_are_reported_the_most_frequent_first(tmp_path: Path) -> None:
    text = "\u201cThe cat\u2019s \u2013 the dog\u2019s\u201d, caf\u00e9 \u2014 it\u2019s.\n"
    measured = scored(tmp_path, text)
    assert measured["unknown_tokens"] == 7  # the first character is not a target
    assert measured["unknown_characters"] == {"\u2019": 3, "\u2013": 1, "\u201d": 1, "\u00e9": 1, "\u2014": 1}
    bundle, data = tmp_path / "char-lm" / "1", tmp_path / "people.txt"
    data.write_text(text, encoding="utf-8")
    shown = run("char-lm", "--bundle", bundle, "--data", data).stdout
    assert "unknown_tokens" in shown
    assert "U+2019 \u2019 3" in shown


def test_line_ends_of_other_systems_are_mapped_and_counted(tmp_path: Path) -> None:
    lines = ["To be, or not", "to be: that", "is the question.", ""] * 40
    plain, windows, mac = (scored(tmp_path, end.join(lines), "--split", "valid") for end in ("\n", "\r\n", "\r"))
    for other in (windows, mac):
        assert other["nats_per_char"] == plain["nats_per_char"]
        assert (other["count"], other["unknown_tokens"]) == (plain["count"], 0)
        assert other["mapped_line_ends"] == 159
    assert plain["mapped_line_ends"] == 0


def test_data_is_read_from_standard_input(tmp_path: Path) -> None:
    bundle = build_tiny_bundle(tmp_path, "generation")
    arguments = ["char-lm", "--bundle", str(bundle), "--data", "-", "--json"]
    result = CliRunner().invoke(evaluate, arguments, input="The ca\u00e9".encode())
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["unknown_tokens"] == 1
    result = CliRunner().invoke(evaluate, arguments, input=b"The ca\xff")
    assert result.exit_code == 1
    assert "standard input:1: not UTF-8" in result.stderr
