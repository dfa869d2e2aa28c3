"""Two tasks whose only difficulty is to keep something for a known number of steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

TaskName: TypeAlias = Literal["adding", "copy"]


class Task(Protocol):
    """Sequences to read and what is asked about them.

    Attributes:
        label: the task's name in figures.
        length_label: what its length counts.
        inputs: features of a step, I.
        outputs: numbers that a network answers with at a step, O.
        answers: steps at the end at which it answers, A; 0 when it answers once, after reading everything.
        baseline: the lowest error without looking at the sequence.
        unit: of the error.
    """

    label: str
    length_label: str
    inputs: int
    outputs: int
    answers: int
    baseline: float
    unit: str

    def steps(self, length: int) -> int:
        """Steps of a sequence, T, at the task's `length`."""
        ...

    def draw(self, length: int, batch: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Make new sequences: inputs (B, T, I) and targets (B, …)."""
        ...

    def error(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean error of every network, (N,), from outputs (N, B, …) and targets (N, B, …)."""
        ...


class AddingTask:
    """The adding problem: two of T numbers are marked, what is their sum?

    Hochreiter & Schmidhuber (1997), in the form of Le, Jaitly & Hinton (2015): numbers are uniform
    in [0, 1], a second input is 1 at the two marked steps and 0 elsewhere, the error is squared. One
    mark falls in either half, so one number must be kept for at least half of the sequence.
    """

    label = "adding problem"
    length_label = "sequence length (steps)"
    inputs = 2
    outputs = 1
    answers = 0
    baseline = 1 / 6  # the variance of a sum of two uniform numbers
    unit = "mean squared error"

    def steps(self, length: int) -> int:
        """As many as the length says."""
        return length

    def draw(self, length: int, batch: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Inputs (B, T, 2), the numbers first, and sums (B,)."""
        numbers = random.random((batch, length), dtype=np.float32)
        half = length // 2
        first, second = random.integers(0, half, batch), random.integers(half, length, batch)
        rows = np.arange(batch)
        marks = np.zeros_like(numbers)
        marks[rows, first] = marks[rows, second] = 1.0
        sums = numbers[rows, first] + numbers[rows, second]
        return torch.from_numpy(np.stack([numbers, marks], axis=-1)), torch.from_numpy(sums)

    def error(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error from outputs (N, B, 1) and sums (N, B)."""
        return (outputs[..., 0] - targets).square().mean(dim=1)


class CopyTask:
    """The copy task: each of the first symbols is asked for again a fixed number of steps later.

    After Hochreiter & Schmidhuber (1997) and Arjovsky, Shah & Bengio (2016), with fewer symbols. At
    delay D the symbol of step k is the answer of step k + D; in between there is only the blank, and
    a sign where answering begins.
    """

    symbols = 4
    label = "copy task"
    length_label = "delay (steps)"
    answers = 3
    inputs = symbols + 2
    outputs = symbols
    baseline = math.log(symbols)
    unit = "nats per symbol"

    def steps(self, length: int) -> int:
        """The delay and the answers after it."""
        return length + self.answers

    def draw(self, length: int, batch: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """One-hot inputs (B, D + A, symbols + 2), the blank and the sign last, and symbols (B, A)."""
        blank, sign = self.symbols, self.symbols + 1
        shown = random.integers(0, self.symbols, (batch, self.answers))
        tokens = np.full((batch, self.steps(length)), blank)
        tokens[:, : self.answers] = shown
        tokens[:, length] = sign
        return one_hot(torch.from_numpy(tokens), self.inputs).float(), torch.from_numpy(shown)

    def error(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean cross entropy in nats from logits (N, B, A, symbols) and symbols (N, B, A)."""
        losses = cross_entropy(outputs.flatten(0, 2), targets.flatten(), reduction="none")
        return losses.view(len(targets), -1).mean(dim=1)


TASKS: Mapping[TaskName, Task] = MappingProxyType({"adding": AddingTask(), "copy": CopyTask()})
