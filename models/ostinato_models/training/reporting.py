"""What a training tells: TensorBoard curves, and a progress bar or plain lines for people."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as RichProgress,
)
from torch.utils.tensorboard import SummaryWriter

from ostinato_models.terminal import console, moves_cursor
from ostinato_models.training.checkpoints import Progress

SECONDS_BETWEEN_LINES = 20.0


class Reporter:
    """Reports to a directory's TensorBoard log and to a stream.

    On a terminal the stream shows a bar; otherwise a line now and then, so that a log stays short.
    """

    def __init__(self, directory: Path, stream: TextIO, *, epochs: int, first_step: int) -> None:
        """Report into `directory`, replacing what was logged after `first_step`."""
        self._writer = SummaryWriter(directory, purge_step=first_step or None)
        self._console = console(stream)
        self._has_bar = moves_cursor(stream)
        self._bars = RichProgress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}  {task.fields[speed]:,.0f}/s"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._has_bar,
        )
        self._bar: TaskID | None = None
        self._epochs = epochs
        self._batches = 0
        self._last_line = time.monotonic()
        self._terms = 0

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take the bar away and close the log."""
        self._bars.stop()
        self._writer.close()

    def line(self, text: str) -> None:
        """Say one line."""
        self._console.print(text, soft_wrap=True)

    def begin_epoch(self, epoch: int, batches: int, done: int) -> None:
        """An epoch of so many `batches` starts (or goes on, `done` of them behind it)."""
        if self._bar is not None:
            self._bars.remove_task(self._bar)
        self._batches = batches
        self._bar = self._bars.add_task(
            "", total=batches, completed=done, epoch=f"{epoch}/{self._epochs}", loss=0.0, speed=0.0
        )
        self._last_line, self._terms = time.monotonic(), 0

    def step(self, progress: Progress, loss: float, terms: int, norm: float, rate: float) -> None:
        """An update was made: mean `loss` over `terms`, gradient `norm`, learning `rate`."""
        for name, value in (
            ("train/loss", loss),
            ("train/gradient_norm", norm),
            ("train/learning_rate", rate),
        ):
            self._writer.add_scalar(name, value, progress.step)
        self._terms += terms
        elapsed = time.monotonic() - self._last_line
        mean = progress.loss_sum / max(1, progress.loss_terms)
        if self._bar is not None:
            self._bars.update(self._bar, completed=progress.batch, loss=mean)
        if elapsed < SECONDS_BETWEEN_LINES:
            return
        speed = self._terms / elapsed
        self._last_line, self._terms = time.monotonic(), 0
        if self._has_bar and self._bar is not None:
            self._bars.update(self._bar, speed=speed)
            return
        self.line(
            f"epoch {progress.epoch + 1}/{self._epochs}  batch {progress.batch}/{self._batches}  "
            f"loss {mean:.4f}  gradient norm {norm:.2f}  rate {rate:.2e}  {speed:,.0f} terms/s"
        )

    def end_epoch(self, progress: Progress, samples: list[str]) -> None:
        """An epoch ended: its last row of the curve, and what the model does now."""
        row = progress.curve[-1]
        for name, value in row.items():
            if name not in ("epoch", "step"):
                self._writer.add_scalar(f"epoch/{name}", value, progress.step)
        best = "  (best)" if progress.best_epoch == progress.epoch else ""
        self.line("  ".join(f"{name} {value:.6g}" for name, value in row.items()) + best)
        for sample in samples:
            self.line(f"    {sample}")
