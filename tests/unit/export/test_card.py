from pathlib import Path

import pytest
from tests.bundles import build_tiny_bundle

from ostinato_bundle import Evaluation, open_bundle
from ostinato_models.cli.evaluate import evaluate
from ostinato_models.data.corpora import DATA_SETS
from ostinato_models.export.card import model_card
from ostinato_models.export.datasets import describe, language_pair

RECORD = {
    "command": "ostinato train char-lm --preset full",
    "seed": 1,
    "device": "cpu",
    "seconds": 600.0,
    "libraries": {"torch": "2.13.0"},
    "data": {"name": "tinyshakespeare", "files": {"input.txt": "ab" * 32}, "examples": {"train": 1003854}},
    "curve": [{"epoch": 1, "valid_loss": 1.91234}, {"epoch": 2, "valid_loss": 1.5}],
    "results": {"nats_per_char": 1.5},
}


def card(tmp_path: Path, *evaluation: Evaluation) -> str:
    manifest = open_bundle(build_tiny_bundle(tmp_path, "generation")).manifest
    return model_card(manifest.model_copy(update={"evaluation": evaluation}), RECORD)


def test_card_tells_data_licence_command_curve_limits_and_biases(tmp_path: Path) -> None:
    text = card(tmp_path)
    for expected in (
        "# char-lm, version 1",
        "Tiny Shakespeare: 1,115,394 characters",
        "| train | 1,003,854 |",
        "public domain",
        "ostinato train char-lm --preset full",
        "ostinato evaluate char-lm --bundle DIR --data tinyshakespeare/input.txt --split valid\n",
        "| 1 | 1.912 |",
        "20 alternatives. The length of a stream is limited by the server alone (`--max-new-tokens`).",
        "It has read one author",
        "Measured by the training itself",
    ):
        assert expected in text


def test_card_of_a_translator_tells_the_limit_of_its_output(tmp_path: Path) -> None:
    manifest = open_bundle(build_tiny_bundle(tmp_path, "translation")).manifest
    assert manifest.limits.new_tokens_per_input_token == 2.0
    assert manifest.limits.new_tokens_extra == 10
    text = model_card(manifest, RECORD)
    assert "A translation ends at 2 tokens for each source token and 10 more." in text
    assert "The limits of tokens hold for each sentence of a text." in text


def test_card_reports_what_was_measured_on_the_served_files(tmp_path: Path) -> None:
    text = card(tmp_path, Evaluation(measure="nats_per_char", value=1.47, data_set="last 10 %", artifact="onnx-int8"))
    assert "| nats_per_char | 1.47 | last 10 % | onnx-int8 |" in text
    assert "Measured by the training itself" not in text


@pytest.mark.parametrize("name", ["tinyshakespeare", "sst2", "tatoeba-en-fr", "multi30k-de-en", "multi30k-en-fr"])
def test_commands_that_measure_parse_and_name_files_of_the_data_set(name: str, tmp_path: Path) -> None:
    data_set = DATA_SETS[name]
    files = {file.name for file in (*data_set.files, *data_set.prepared)}
    for command in describe(name).measuring:
        _, _, *arguments = [word.replace("DIR", str(tmp_path)) for word in command.split()]
        assert arguments[0] == data_set.task
        named = [argument for argument in arguments if "/" in argument and argument != str(tmp_path)]
        assert named or "--pairs" in arguments
        assert set(named) <= files
        for file in named:
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).touch()
        absolute = [str(tmp_path / argument) if argument in named else argument for argument in arguments]
        assert evaluate.make_context("evaluate", absolute).params["task"] == data_set.task
    assert describe(name).measuring


def test_a_model_of_generated_text_has_no_command_that_measures_it() -> None:
    assert describe("generated-sentiment").measuring == describe("generated-translation").measuring == ()


def test_language_pair_ends_the_data_set_name() -> None:
    assert language_pair("tatoeba-en-fr") == ("en", "fr")
    assert language_pair("generated-translation") is None
    assert describe("multi30k-de-en").description == "Translates captions of photographs from German to English."
