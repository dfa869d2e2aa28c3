"""The loop: clipping, selection, patience, divergence, and resuming exactly."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from ostinato_models.errors import ModelsError, RunDirectoryError
from ostinato_models.networks import CharLanguageModelConfig
from ostinato_models.presets import TASKS, Preset, TaskName, preset
from ostinato_models.training.building import build_task
from ostinato_models.training.reporting import Reporter
from ostinato_models.training.run import train
from ostinato_models.training.trainer import Trainer, TrainingDivergedError

CPU = torch.device("cpu")


def tiny(task: TaskName = "char-lm", **changes: Any) -> Preset:
    """A quick preset made quicker, with dropout so that random numbers matter."""
    quick = preset(task, "quick")
    values: dict[str, Any] = {
        "epochs": 2,
        "checkpoint_every_steps": 4,
        "threads": 1,
        "batch_size": 64,
        "average_decay": 0.9,
    }
    values |= changes
    if isinstance(quick.model, CharLanguageModelConfig):
        values = {"bptt_steps": 256, "unknown_rate": 0.01, **values}
    return replace(
        quick,
        model=replace(quick.model, dropout=0.2),
        training=replace(quick.training, **values),
    )


def run(chosen: Preset, directory: Path, *, resume: bool = False) -> dict[str, Any]:
    return train(chosen, directory, folder=directory, device=CPU, resume=resume, command=["test"], stream=io.StringIO())


def weights(directory: Path) -> dict[str, Tensor]:
    return load_file(directory / "weights.safetensors")


def assert_identical(actual: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert actual.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(actual[name], tensor), name


class Killed(Exception):
    """Stands for the process's end."""


@pytest.mark.parametrize("task", TASKS)
def test_a_training_resumed_after_a_stop_ends_with_the_same_bits(
    task: TaskName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = tiny(task, epochs=1)
    expected = run(chosen, tmp_path / "whole")
    report = Reporter.step

    def stop(self: Reporter, progress: Any, *arguments: Any) -> None:
        report(self, progress, *arguments)
        if progress.step == 7:  # three updates after the checkpoint
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Reporter, "step", stop)
        with pytest.raises(Killed):
            run(chosen, tmp_path / "stopped")
    torch.manual_seed(999)  # whatever happened in between
    torch.rand(17)
    resumed = run(chosen, tmp_path / "stopped", resume=True)

    assert_identical(weights(tmp_path / "stopped"), weights(tmp_path / "whole"))
    assert resumed["results"] == expected["results"]
    assert [row["train_loss"] for row in resumed["curve"]] == [row["train_loss"] for row in expected["curve"]]


KILLED_TRAINING = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_trainer import run, tiny
from ostinato_models.training.reporting import Reporter

report = Reporter.step

def step(self, progress, *arguments):
    report(self, progress, *arguments)
    if progress.step == 42:
        os.kill(os.getpid(), signal.SIGKILL)

Reporter.step = step
run(tiny("sentiment"), Path(sys.argv[2]))
"""


def test_a_killed_process_leaves_a_checkpoint_that_ends_with_the_same_bits(tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_TRAINING, str(Path(__file__).parent), str(tmp_path / "killed")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr.decode()
    assert not (tmp_path / "killed" / "config.json").exists()
    assert torch.load(tmp_path / "killed" / "checkpoint.pt")["progress"]["step"] == 40

    run(tiny("sentiment"), tmp_path / "killed", resume=True)
    run(tiny("sentiment"), tmp_path / "whole")

    assert_identical(weights(tmp_path / "killed"), weights(tmp_path / "whole"))


def test_a_run_directory_holds_all_that_an_export_needs(tmp_path: Path) -> None:
    chosen = tiny("sentiment", epochs=1)

    record = run(chosen, tmp_path)

    assert json.loads((tmp_path / "config.json").read_text()) == record
    assert record["task"] == "sentiment"
    assert record["data"]["name"] == "generated-sentiment"
    assert record["training"] == chosen.training.to_dict()
    assert record["curve"][0].keys() >= {"epoch", "step", "seconds", "train_loss", "valid_loss", "valid_accuracy"}
    assert record["best"] == record["curve"][0]
    assert (tmp_path / "tokenizer.json").exists()
    assert any((tmp_path / "tensorboard").iterdir())
    assert record["model"]["vocabulary_size"] == weights(tmp_path)["embedding.weight"].shape[0]


def test_the_seed_decides_the_weights(tmp_path: Path) -> None:
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        run(tiny("sentiment", epochs=1, seed=seed), tmp_path / name)

    assert_identical(weights(tmp_path / "again"), weights(tmp_path / "first"))
    assert not torch.equal(weights(tmp_path / "other")["output.weight"], weights(tmp_path / "first")["output.weight"])


def test_a_directory_with_a_training_is_not_overwritten(tmp_path: Path) -> None:
    run(tiny("sentiment", epochs=1), tmp_path)

    with pytest.raises(RunDirectoryError, match="already holds a training"):
        run(tiny("sentiment", epochs=1), tmp_path)


def test_a_checkpoint_from_before_a_setting_existed_is_taken_up(tmp_path: Path) -> None:
    run(tiny("sentiment", epochs=1), tmp_path)
    checkpoint = tmp_path / "checkpoint.pt"
    content = torch.load(checkpoint, weights_only=True)
    del content["config"]["distillation_temperature"]
    torch.save(content, checkpoint)

    run(tiny("sentiment", epochs=1), tmp_path, resume=True)


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path: Path) -> None:
    run(tiny("sentiment", epochs=1), tmp_path)

    with pytest.raises(RunDirectoryError, match=r"another configuration: learning_rate$"):
        run(tiny("sentiment", epochs=1, learning_rate=0.5), tmp_path, resume=True)


def trainer(chosen: Preset, directory: Path) -> tuple[Trainer[Any], Reporter]:
    built = build_task(chosen, directory, CPU)
    reporter = Reporter(directory / "tensorboard", io.StringIO(), epochs=chosen.training.epochs, first_step=0)
    return Trainer(built.task, chosen.training, directory, CPU), reporter


def test_gradients_are_clipped_to_the_norm_and_the_norm_before_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, reporter = trainer(tiny("sentiment", epochs=1, clip_norm=1e-3), tmp_path)
    norms: list[tuple[float, float]] = []

    def step(progress: Any, loss: float, terms: int, norm: float, rate: float) -> None:
        gradients = [parameter.grad for parameter in loop.task.model.parameters()]
        norms.append((norm, float(torch.stack([g.norm() for g in gradients if g is not None]).norm())))

    monkeypatch.setattr(reporter, "step", step)
    loop.run(reporter)

    assert min(before for before, _ in norms) > 1e-3
    assert [after for _, after in norms] == pytest.approx([1e-3] * len(norms), rel=1e-3)


def test_training_stops_when_patience_is_out_and_keeps_the_best_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, reporter = trainer(tiny("sentiment", epochs=9, patience=2), tmp_path)
    losses = iter([0.5, 0.3, 0.4, 0.6, 0.1])
    after: list[Tensor] = []

    def evaluate() -> dict[str, float]:
        after.append(loop.task.model.state_dict()["output.bias"].clone())
        return {"valid_loss": next(losses), "valid_accuracy": 0.5}

    monkeypatch.setattr(loop.task, "evaluate", evaluate)
    progress = loop.run(reporter)

    assert (progress.epoch, progress.best_epoch, progress.best_score) == (4, 2, 0.3)
    assert torch.equal(weights(tmp_path)["output.bias"], after[1])


def test_a_loss_that_is_no_number_stops_the_training(tmp_path: Path) -> None:
    loop, reporter = trainer(tiny("sentiment"), tmp_path)
    with torch.no_grad():
        next(loop.task.model.parameters()).fill_(float("nan"))

    with pytest.raises(TrainingDivergedError) as caught:
        loop.run(reporter)

    assert caught.value.step == 0
    assert isinstance(caught.value, ModelsError)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_learns_too(precision: str, tmp_path: Path) -> None:
    chosen = tiny("sentiment", epochs=1, precision=precision)

    record = run(chosen, tmp_path)

    assert record["curve"][0]["train_loss"] < 0.75
    assert weights(tmp_path)["output.weight"].dtype == torch.float32


def test_a_decoder_started_by_an_encoder_learns_in_bfloat16(tmp_path: Path) -> None:
    record = run(tiny("translation", epochs=2, precision="bf16"), tmp_path)

    first, second = (epoch["train_loss"] for epoch in record["curve"])
    assert second < first
    assert weights(tmp_path)["bridge_cell.weight"].dtype == torch.float32
