"""Training of many networks at once, each with its own seed and learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato_models.lab.synthetic.adam import StackAdam
from ostinato_models.lab.synthetic.architectures import Architecture, build
from ostinato_models.lab.synthetic.stack import Stack, stacked
from ostinato_models.lab.synthetic.tasks import Task


@dataclass(frozen=True, slots=True)
class Member:
    """One network of a stack.

    Attributes:
        seed: decides its first weights and its sequences.
        learning_rate: Adam's.
    """

    seed: int
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """How networks are trained.

    Attributes:
        parameters: about how many a network has.
        batch_size: sequences an update, B; all of them new.
        updates: the most a network gets.
        clip_norm: the longest gradient let through; None lets everything through.
        window: updates over which errors are averaged before they are judged.
        until: the share of the baseline's error below which a training ends early; 0 for never.
    """

    parameters: int
    batch_size: int
    updates: int
    clip_norm: float | None
    window: int
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class Trace:
    """One training.

    Attributes:
        member: whose.
        errors: on new sequences before every update; the last is not finite when the training broke.
        norms: of the gradient before clipping, an entry per update.
    """

    member: Member
    errors: tuple[float, ...]
    norms: tuple[float, ...]

    def smoothed(self, window: int) -> NDArray[np.float64]:
        """Errors averaged over each full `window`, so that entry i ends with update window + i."""
        return np.convolve(np.array(self.errors, dtype=np.float64), np.full(window, 1 / window), "valid")


def train(
    architecture: Architecture,
    task: Task,
    length: int,
    members: Sequence[Member],
    schedule: Schedule,
    watch: Callable[[int], None],
) -> tuple[Trace, ...]:
    """Train every member of a stack with Adam on `task` at `length`.

    Members of equal seeds start from the same weights and read the same sequences, whatever their
    learning rates, and none depends on another.

    Args:
        architecture: of all members.
        task: what they learn.
        length: the task's.
        members: the networks.
        schedule: how to train.
        watch: told after every update how many members made it.

    Returns:
        A trace per member, in order.
    """
    networks = [build(architecture, task, schedule.parameters, member.seed) for member in members]
    stack = Stack(networks[0], architecture)
    adam = StackAdam(stacked(networks), [member.learning_rate for member in members])
    running = list(range(len(members)))
    errors: list[list[float]] = [[] for _ in members]
    norms: list[list[float]] = [[] for _ in members]
    for update in range(1, schedule.updates + 1):
        inputs, targets = _draw(task, length, [members[index].seed for index in running], update, schedule.batch_size)
        parameters = adam.parameters.requires_grad_()
        error = task.error(stack.answer(parameters, inputs), targets)  # (N,)
        (gradient,) = torch.autograd.grad(error.sum(), parameters)  # (N, P)
        norm = gradient.norm(dim=1)
        for index, new_error, new_norm in zip(running, error.tolist(), norm.tolist(), strict=True):
            errors[index].append(new_error)
            norms[index].append(new_norm)
        if schedule.clip_norm is not None:
            gradient = gradient * (schedule.clip_norm / norm.clamp(min=schedule.clip_norm)).unsqueeze(1)
        with torch.no_grad():
            adam.step(gradient)
        watch(len(running))
        kept = [row for row, index in enumerate(running) if not _ended(errors[index], norms[index], task, schedule)]
        if len(kept) < len(running):
            running = [running[row] for row in kept]
            adam.keep(kept)
        if not running:
            break
    return tuple(Trace(*part) for part in zip(members, map(tuple, errors), map(tuple, norms), strict=True))


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Take numbers below 1e-38 for zero: vanished gradients are full of them, and they are slow."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _draw(task: Task, length: int, seeds: Sequence[int], update: int, batch: int) -> tuple[Tensor, Tensor]:
    """The sequences of one update: inputs (N, B, T, I) and targets (N, B, …), equal for equal seeds."""
    drawn = {seed: task.draw(length, batch, np.random.default_rng((seed, update))) for seed in dict.fromkeys(seeds)}
    inputs, targets = zip(*(drawn[seed] for seed in seeds), strict=True)
    return torch.stack(inputs), torch.stack(targets)


def _ended(errors: Sequence[float], norms: Sequence[float], task: Task, schedule: Schedule) -> bool:
    """Whether a training broke, or learned as much as it was asked to."""
    if not math.isfinite(errors[-1]) or not math.isfinite(norms[-1]):
        return True
    recent = errors[-schedule.window :]
    return len(recent) == schedule.window and sum(recent) < schedule.until * task.baseline * schedule.window
