"""Memory is counted as arithmetic says, speed as a positive number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from ostinato_models.lab.architectures.costs import TASK, measure_costs, saved_bytes
from ostinato_models.lab.architectures.settings import PRESETS
from ostinato_models.lab.synthetic.architectures import ARCHITECTURES, build
from ostinato_models.lab.threads import one_thread

SETTINGS = replace(PRESETS["quick"], cost_parameters=1000, cost_batch_size=4, cost_lengths=(8, 16), cost_repeats=1)


@pytest.fixture(autouse=True)
def computed_on_one_thread() -> Iterator[None]:
    with one_thread():
        yield


def test_a_vanilla_network_holds_its_states_and_inputs() -> None:
    model = build(ARCHITECTURES["rnn"], TASK, 1000, 0)
    size, batch, steps = model.recurrent.hidden_size, 4, 16

    def held(steps: int) -> int:
        inputs = torch.rand(batch, steps, TASK.inputs)
        return saved_bytes(lambda: model(inputs).sum(), model)

    assert held(2 * steps) - held(steps) >= 4 * batch * size * steps
    assert held(2 * steps) - held(steps) <= 4 * batch * (2 * size + TASK.inputs) * steps


def test_what_is_saved_twice_counts_once_and_parameters_not_at_all() -> None:
    model = build(ARCHITECTURES["rnn"], TASK, 100, 0)
    numbers = torch.rand(10, requires_grad=True)
    weight = model.output.weight
    assert saved_bytes(lambda: (numbers * numbers).sum(), model) == 40
    assert saved_bytes(lambda: (weight * weight).sum(), model) == 0


def test_every_architecture_is_measured_at_every_length() -> None:
    seen: list[int] = []
    costs = measure_costs(SETTINGS, seen.append)
    assert [(cost.length, cost.architecture) for cost in costs] == [
        (length, name) for length in (8, 16) for name in ARCHITECTURES
    ]
    assert seen == list(range(1, 9))
    for short, long in zip(costs[:4], costs[4:], strict=True):
        assert short.steps_per_second > 0
        assert short.activation_bytes < long.activation_bytes < 2.1 * short.activation_bytes
        assert short.state_bytes == 16 * short.parameters
        assert short.parameters == pytest.approx(1000, rel=0.1)
