"""What one update costs: the time it takes, and the bytes it holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from ostinato_models.lab.architectures.settings import ArchitecturesSettings
from ostinato_models.lab.synthetic.architectures import ARCHITECTURES, Answerer, ArchitectureName, build
from ostinato_models.lab.synthetic.tasks import TASKS

TASK = TASKS["adding"]
"""Its sequences are as long as their length says."""

ADAM_COPIES = 4
"""Numbers held for each parameter: itself, its gradient and Adam's two averages."""


MIB = 2**20
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One architecture at one length.

    Attributes:
        architecture: which.
        length: steps of a sequence, T.
        hidden_size: features of a direction's state, H.
        parameters: numbers trained.
        steps_per_second: of B sequences together, forward, backward and update; a timing.
        activation_bytes: held for the backward pass.
    """

    architecture: ArchitectureName
    length: int
    hidden_size: int
    parameters: int
    steps_per_second: float
    activation_bytes: int

    @property
    def state_bytes(self) -> int:
        """Held between updates: parameters, gradients and Adam's averages, in fp32."""
        return ADAM_COPIES * 4 * self.parameters


def measure_costs(settings: ArchitecturesSettings, watch: Callable[[int], None]) -> tuple[Cost, ...]:
    """Measure every architecture at every length; `watch` counts them."""
    costs: list[Cost] = []
    for length in settings.cost_lengths:
        for name in ARCHITECTURES:
            costs.append(_measure(name, length, settings))
            watch(len(costs))
    return tuple(costs)


def saved_bytes(forward: Callable[[], Tensor], model: Answerer) -> int:
    """Bytes that autograd keeps from `forward` for the backward pass.

    Each storage counts once, and the parameters of `model`, held anyway, not at all.
    """
    storages: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = forward()  # held until the counting is done: a freed storage's address may come again
    for parameter in model.parameters():
        storages.pop(parameter.untyped_storage().data_ptr(), None)
    counted = sum(storages.values())
    del loss
    return counted


def _measure(name: ArchitectureName, length: int, settings: ArchitecturesSettings) -> Cost:
    """Train one network for a few updates on the same sequences."""
    model = build(ARCHITECTURES[name], TASK, settings.cost_parameters, settings.seed)
    optimizer = torch.optim.Adam(model.parameters())
    inputs, targets = TASK.draw(length, settings.cost_batch_size, np.random.default_rng(settings.seed))

    def loss() -> Tensor:
        return TASK.error(model(inputs).unsqueeze(0), targets.unsqueeze(0)).sum()

    def update() -> float:
        # The thread's own time: on a busy machine the rest of the clock's goes to others.
        started = time.thread_time()
        optimizer.zero_grad()
        loss().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return time.thread_time() - started

    held = saved_bytes(loss, model)
    update()  # the first one also makes Adam's averages
    seconds = median(update() for _ in range(settings.cost_repeats))
    return Cost(
        architecture=name,
        length=length,
        hidden_size=model.recurrent.hidden_size,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        steps_per_second=settings.cost_batch_size * length / seconds,
        activation_bytes=held,
    )
