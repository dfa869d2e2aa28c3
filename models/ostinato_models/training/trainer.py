"""The training loop that all tasks share.

An epoch is a list of batches that depends on the seed and the epoch's number alone; so a
checkpoint needs only to say how many batches are done, and resuming is exact.
"""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import nn

from ostinato_models.errors import ModelsError, RunDirectoryError
from ostinato_models.training.averaging import WeightAverage
from ostinato_models.training.checkpoints import (
    Progress,
    load_checkpoint,
    random_states,
    restore_random_states,
    save_checkpoint,
    save_weights,
)
from ostinato_models.training.configuration import TrainingConfig
from ostinato_models.training.reporting import Reporter
from ostinato_models.training.schedules import learning_rate
from ostinato_models.training.task import Task

BatchT = TypeVar("BatchT")

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


class TrainingDivergedError(ModelsError):
    """The loss stopped being a number."""

    def __init__(self, step: int) -> None:
        """Remember the update at which it happened."""
        super().__init__(f"the loss is not finite at step {step}: lower the learning rate")
        self.step = step


class Trainer(Generic[BatchT]):
    """Runs a task to its end, leaving checkpoints and the best weights in a directory."""

    def __init__(
        self,
        task: Task[BatchT],
        config: TrainingConfig,
        directory: Path,
        device: torch.device,
    ) -> None:
        """Make the optimizer for `task`'s model, which is already on `device`."""
        self.task = task
        self.config = config
        self.directory = directory
        self.device = device
        self.progress = Progress()
        self.optimizer = torch.optim.AdamW(
            task.model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        # Gradients in fp16 underflow without a loss scale; for the other types it does nothing.
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")
        self.average = WeightAverage(task.model, config.average_decay) if config.average_decay else None

    def run(self, reporter: Reporter) -> Progress:
        """Train until the last epoch or until patience is out, telling `reporter` how it goes.

        Raises:
            TrainingDivergedError: the loss is not finite.
        """
        while self.progress.epoch < self.config.epochs and not self._out_of_patience():
            self._train_epoch(reporter)
            self._finish_epoch(reporter)
        return self.progress

    def resume(self) -> None:
        """Take up the directory's checkpoint.

        Raises:
            RunDirectoryError: there is none, or it belongs to another configuration.
        """
        content = load_checkpoint(self.directory / "checkpoint.pt")
        asked = self.config.to_dict()
        trained = TrainingConfig.from_dict(content["config"]).to_dict()  # what came later was at its default
        changed = sorted(name for name in trained if trained[name] != asked[name])
        if changed:
            raise RunDirectoryError(self.directory, f"checkpoint.pt has another configuration: {', '.join(changed)}")
        self.task.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.scaler.load_state_dict(content["scaler"])
        if self.average is not None:
            self.average.restore(**content["average"])
        self.progress = Progress(**content["progress"])
        self.task.restore(tuple(tensor.to(self.device) for tensor in content["carried"]))
        restore_random_states(content["random"])

    def _train_epoch(self, reporter: Reporter) -> None:
        """Run the batches of the current epoch that are still to do."""
        progress, task = self.progress, self.task
        batches = task.batches(progress.epoch)
        if progress.batch == 0:
            task.begin_epoch()
        task.model.train()
        reporter.begin_epoch(progress.epoch + 1, len(batches), progress.batch)
        for batch in batches[progress.batch :]:
            started = time.perf_counter()
            done = (progress.epoch + progress.batch / len(batches)) / self.config.epochs
            loss, terms, norm, rate = self._update(batch, done)
            progress.step += 1
            progress.batch += 1
            progress.loss_sum += loss * terms
            progress.loss_terms += terms
            progress.seconds += time.perf_counter() - started
            reporter.step(progress, loss, terms, norm, rate)
            if progress.step % self.config.checkpoint_every_steps == 0:
                self._save()

    def _update(self, batch: BatchT, done: float) -> tuple[float, int, float, float]:
        """Make one update; the loss, its terms, the gradient's norm and the learning rate."""
        config = self.config
        rate = learning_rate(
            peak=config.learning_rate,
            final_ratio=config.final_learning_rate_ratio,
            warmup_steps=config.warmup_steps,
            step=self.progress.step,
            progress=done,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        precision = AUTOCAST.get(config.precision)
        with torch.autocast(self.device.type, precision, enabled=precision is not None):
            loss, terms = self.task.loss(batch, done)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingDivergedError(self.progress.step)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.task.model.parameters(), config.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update()
        return value, terms, float(norm), rate

    def _finish_epoch(self, reporter: Reporter) -> None:
        """Measure, keep the weights if they are the best so far, and write a checkpoint."""
        progress, task = self.progress, self.task
        task.model.eval()
        with torch.no_grad(), self.average.applied() if self.average else nullcontext():
            measured = task.evaluate()
            samples = task.sample()
            if task.score(measured) < progress.best_score:
                progress.best_score, progress.best_epoch = task.score(measured), progress.epoch + 1
                save_weights(self.directory / "weights.safetensors", task.model)
        train_loss = progress.loss_sum / max(1, progress.loss_terms)
        progress.epoch += 1
        progress.batch, progress.loss_sum, progress.loss_terms = 0, 0.0, 0
        progress.curve.append(
            {
                "epoch": progress.epoch,
                "step": progress.step,
                "seconds": round(progress.seconds, 1),
                "train_loss": train_loss,
                **measured,
            }
        )
        reporter.end_epoch(progress, samples)
        self._save()

    def _out_of_patience(self) -> bool:
        waited = self.progress.epoch - self.progress.best_epoch
        return 0 < self.config.patience <= waited

    def _save(self) -> None:
        save_checkpoint(
            self.directory / "checkpoint.pt",
            {
                "config": self.config.to_dict(),
                "model": self.task.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
                "progress": self.progress.to_dict(),
                "average": self.average.state() if self.average else None,
                "carried": self.task.carried(),
                "random": random_states(),
            },
        )
