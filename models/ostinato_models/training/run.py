"""One training from start to finish: what `ostinato train` does once its arguments are read."""

from __future__ import annotations

import json
import platform
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

import torch
from tokenizers import Tokenizer

from ostinato_models.errors import DeviceUnavailableError, RunDirectoryError
from ostinato_models.presets import Preset
from ostinato_models.terminal import console
from ostinato_models.training.building import BuiltTask, build_task
from ostinato_models.training.checkpoints import Progress, load_weights
from ostinato_models.training.reporting import Reporter
from ostinato_models.training.trainer import Trainer

LIBRARIES = ("torch", "tokenizers", "safetensors", "numpy")


def train(
    preset: Preset,
    directory: Path,
    *,
    folder: Path,
    device: torch.device,
    resume: bool,
    command: Sequence[str],
    stream: TextIO,
    soft_labels: Path | None = None,
) -> dict[str, Any]:
    """Train, and leave a run directory from which `ostinato export` makes a bundle.

    Args:
        preset: what to train.
        directory: the run directory; made when missing.
        folder: the data folder.
        device: where to compute.
        resume: go on from the directory's checkpoint, if it has one.
        command: what the person typed, for the record.
        stream: where progress is shown.
        soft_labels: what `ostinato distill` wrote, to learn from in place of the labels (sentiment).

    Returns:
        The content of ``config.json``.

    Raises:
        ModelsError: the data, the directory or the training itself is not as it must be.
    """
    checkpoint = directory / "checkpoint.pt"
    if checkpoint.exists() and not resume:
        raise RunDirectoryError(directory, "already holds a training: resume it or choose another")
    if preset.training.threads:
        torch.set_num_threads(preset.training.threads)
    directory.mkdir(parents=True, exist_ok=True)
    kept = directory / "tokenizer.json"
    with console(stream).status(f"reading {preset.dataset}"):
        built = build_task(
            preset, folder, device, Tokenizer.from_file(str(kept)) if checkpoint.exists() else None, soft_labels
        )
    built.tokenizer.save(str(kept))
    trainer = Trainer(built.task, preset.training, directory, device)
    if checkpoint.exists():
        trainer.resume()
    reporter = Reporter(
        directory / "tensorboard",
        stream,
        epochs=preset.training.epochs,
        first_step=trainer.progress.step,
    )
    with reporter:
        parameters = sum(parameter.numel() for parameter in built.task.model.parameters())
        reporter.line(f"{preset.task}: {parameters:,} parameters, {built.dataset} {built.examples}")
        with _denormals_flushed():
            progress = trainer.run(reporter)
        load_weights(directory / "weights.safetensors", built.task.model)
        built.task.model.eval()
        with torch.no_grad():
            results = built.task.report()
        reporter.line("  ".join(f"{name} {value:.6g}" for name, value in results.items()))
    record = _record(preset, built, progress, results, command, device)
    if soft_labels is not None and (teacher := soft_labels.with_name("config.json")).is_file():
        record["teacher"] = json.loads(teacher.read_text(encoding="utf-8"))
    # Written last: its presence says that the run is complete.
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (directory / "config.json").write_text(text, encoding="utf-8")
    return record


@contextmanager
def _denormals_flushed() -> Iterator[None]:
    """Round denormal numbers to zero: rare tokens' second moments become such, and their square roots slow."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def choose_device(name: str) -> torch.device:
    """The device called ``auto``, ``cpu`` or ``cuda``.

    Raises:
        DeviceUnavailableError: ``cuda`` was asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceUnavailableError(name, "torch finds no CUDA device")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def _record(
    preset: Preset,
    built: BuiltTask,
    progress: Progress,
    results: dict[str, float],
    command: Sequence[str],
    device: torch.device,
) -> dict[str, Any]:
    best = progress.curve[progress.best_epoch - 1] if progress.best_epoch else {}
    return {
        "task": preset.task,
        "preset": preset.name,
        "model": built.model_config.to_dict(),
        "training": preset.training.to_dict(),
        "data": {"name": built.dataset, "files": built.files, "examples": built.examples},
        "command": shlex.join(command),
        "seed": preset.training.seed,
        "device": device.type,
        "libraries": {
            "python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES},
        },
        "curve": progress.curve,
        "best": best,
        "results": results,
        "seconds": round(progress.seconds, 1),
    }
