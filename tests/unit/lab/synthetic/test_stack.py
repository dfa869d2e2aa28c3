"""A stack of networks answers as each of them does alone."""

from __future__ import annotations

import pytest
import torch

from ostinato_models.lab.synthetic.architectures import ARCHITECTURES, ArchitectureName, build
from ostinato_models.lab.synthetic.stack import Stack, stacked
from ostinato_models.lab.synthetic.tasks import TASKS, TaskName


@pytest.mark.parametrize("task_name", list(TASKS))
@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_answers_and_gradients_are_those_of_each_network_alone(name: ArchitectureName, task_name: TaskName) -> None:
    architecture, task = ARCHITECTURES[name], TASKS[task_name]
    networks = [build(architecture, task, 300, seed) for seed in (1, 2, 3)]
    inputs = torch.rand(3, 4, 9, task.inputs, generator=torch.Generator().manual_seed(0))
    parameters = stacked(networks).requires_grad_()

    answered = Stack(networks[0], architecture).answer(parameters, inputs)
    answered.square().sum().backward()  # type: ignore[no-untyped-call]

    assert parameters.grad is not None
    for row, network in enumerate(networks):
        alone = network(inputs[row])
        torch.testing.assert_close(answered[row], alone, rtol=0, atol=1e-6)
        gradients = torch.autograd.grad(alone.square().sum(), list(network.parameters()))
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        torch.testing.assert_close(parameters.grad[row], flat, rtol=1e-4, atol=1e-5)
