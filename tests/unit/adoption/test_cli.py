import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.unit.adoption.plain import Plain

from ostinato_bundle import open_bundle
from ostinato_models.cli.export import export


def run(*arguments: object) -> Result:
    return CliRunner().invoke(export, [str(argument) for argument in arguments])


def files(folder: Path, plain: Plain) -> list[object]:
    (folder / "letters.txt").write_text("\n".join("abcdefghijk") + "\n")
    return ["--from-onnx", plain.save(folder), "--vocabulary", folder / "letters.txt", "--out", folder / "out"]


def test_json_tells_what_was_taken_for_what(tmp_path: Path) -> None:
    result = run(*files(tmp_path, Plain()), "--name", "mine", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["name"], said["version"], said["path"]) == ("mine", 1, str(tmp_path / "out" / "mine" / "1"))
    assert (said["token"], said["logits"], said["states"], said["prefill"]) == ("tokens", "logits", {"h": "hn"}, True)


def test_names_are_given_by_options_and_recorded_in_the_manifest(tmp_path: Path) -> None:
    plain = Plain(names={"tokens": "a", "h": "b", "hn": "c", "logits": "d"})
    named = ("--input-token", "a", "--state", "b=c", "--logits", "d", "--license", "MIT", "--end-token", "k")
    result = run(*files(tmp_path, plain), "--name", "mine", "--version", 2, *named)
    assert result.exit_code == 0, result.output
    assert "states b → c [1, 6]" in result.stdout
    manifest = open_bundle(tmp_path / "out" / "mine" / "2").manifest
    assert "--state b=c" in manifest.provenance.command
    assert (manifest.license, manifest.tokenizer.end_id) == ("MIT", 10)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "needs --name NAME"),
        (["--name", "mine", "--tokenizer", "t.json"], "needs either --tokenizer FILE or --vocabulary FILE"),
        (["--name", "mine", "--artifacts", "onnx"], "--artifacts is for RUN_DIR and --bundle only"),
        (["--name", "mine", "--state-shape", "2,batch,6"], "--state-shape is for --from-torchscript only"),
        (["--name", "mine", "--state", "h"], "--state h is not IN=OUT"),
        (["--name", "mine", "--state", "h=hn", "--state", "h=x"], "--state h=x names a tensor that another"),
        (["--name", "mine", "--from-torchscript", "m.pt"], "Give one of RUN_DIR, --bundle DIR, --from-onnx FILE and"),
    ],
)
def test_wrong_usage_exits_with_2(tmp_path: Path, arguments: list[str], problem: str) -> None:
    result = run(*files(tmp_path, Plain()), *arguments)
    assert (result.exit_code, problem in result.stderr) == (2, True), result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("shape", ["2,6", "batch,batch", "2,batch,", "2,batch,x"])
def test_state_shape_needs_sizes_and_one_batch(tmp_path: Path, shape: str) -> None:
    (tmp_path / "letters.txt").write_text("a\nb\n")
    arguments = ("--vocabulary", tmp_path / "letters.txt", "--name", "mine", "--state-shape", shape)
    result = run("--from-torchscript", tmp_path / "m.pt", *arguments)
    assert result.exit_code == 2
    assert f"--state-shape {shape} is no list of sizes" in result.stderr


def test_options_of_adopted_models_are_not_for_trainings(tmp_path: Path) -> None:
    result = run(tmp_path, "--vocabulary", "v.txt")
    assert result.exit_code == 2
    assert "--vocabulary is for --from-onnx and --from-torchscript only" in result.stderr


def test_model_that_does_not_fit_exits_with_1_the_code_that_mends_it_and_no_bundle(tmp_path: Path) -> None:
    result = run(*files(tmp_path, Plain(shapes={"tokens": (1, 1)})), "--name", "mine")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        f"Error: {tmp_path / 'plain.onnx'}: input tokens (int64 [1, 1]): its batch is fixed"
    )
    line, _, remedy = result.stderr.partition("\n\n")
    assert "\n" not in line
    assert "        dynamic_axes={\n            'tokens': {0: 'batch', 1: 'time'},\n" in remedy
    assert not (tmp_path / "out").exists()
