"""What the training loop needs to know about a task, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from torch import Tensor, nn

BatchT = TypeVar("BatchT")


class Task(Protocol[BatchT]):
    """A model with its data: the trainer asks for batches, losses and measurements."""

    @property
    def model(self) -> nn.Module:
        """The network being trained."""

    def batches(self, epoch: int) -> Sequence[BatchT]:
        """The batches of an epoch, in order; depends on the seed and `epoch` alone."""

    def begin_epoch(self) -> None:
        """Forget whatever is carried from batch to batch."""

    def loss(self, batch: BatchT, progress: float) -> tuple[Tensor, int]:
        """The mean loss of a batch, in nats, and how many terms it averages.

        `progress` is how far the whole training is, in [0, 1].
        """

    def carried(self) -> tuple[Tensor, ...]:
        """What is carried from batch to batch, for a checkpoint; empty when nothing is."""

    def restore(self, carried: tuple[Tensor, ...]) -> None:
        """Take up what `carried` gave."""

    def evaluate(self) -> dict[str, float]:
        """Measure on the validation set; `valid_loss` is always there."""

    def score(self, measured: dict[str, float]) -> float:
        """The number that model selection minimises."""

    def sample(self) -> list[str]:
        """A few lines that show what the model does now, for a person to look at."""

    def report(self) -> dict[str, float]:
        """The results to publish, measured once with the selected weights."""
