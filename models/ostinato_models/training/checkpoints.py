"""Checkpoints from which a training goes on exactly as if it had never stopped."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ostinato_models.errors import RunDirectoryError

FORMAT = 1


@dataclass(slots=True)
class Progress:
    """How far a training is; the data order follows from `epoch` and `batch` alone."""

    epoch: int = 0  # epochs finished
    batch: int = 0  # batches done in the epoch under way
    step: int = 0  # updates made
    loss_sum: float = 0.0  # over the epoch under way
    loss_terms: int = 0
    seconds: float = 0.0  # spent training, over all sittings
    best_score: float = float("inf")
    best_epoch: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The progress as plain values."""
        return asdict(self)


def random_states() -> dict[str, Any]:
    """The states of every generator that training draws from."""
    states: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def restore_random_states(states: dict[str, Any]) -> None:
    """Set the generators back to `random_states`'s result."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint so that a kill at any moment leaves the old one or the new one."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as stream:
        torch.save({"format": FORMAT, **content}, stream)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; tensors arrive on the CPU.

    Raises:
        RunDirectoryError: it does not exist or is not one of ours.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise RunDirectoryError(path.parent, "no checkpoint.pt to resume from") from None
    except Exception as error:
        raise RunDirectoryError(path.parent, f"unreadable checkpoint.pt: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RunDirectoryError(path.parent, "checkpoint.pt has an unknown format")
    return content


def save_weights(path: Path, model: nn.Module) -> None:
    """Write the model's parameters as safetensors, atomically."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    partial = path.with_suffix(".partial")
    save_file(tensors, partial)
    partial.replace(path)


def load_weights(path: Path, model: nn.Module) -> None:
    """Read parameters that `save_weights` wrote into `model`."""
    model.load_state_dict(load_file(path))
