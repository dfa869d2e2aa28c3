"""Every architecture fits a budget of parameters as nearly as it can."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_models.lab.synthetic.architectures import ARCHITECTURES, ArchitectureName, build
from ostinato_models.lab.synthetic.tasks import TASKS


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_the_count_is_that_of_the_network_built(name: ArchitectureName) -> None:
    architecture, task = ARCHITECTURES[name], TASKS["copy"]
    size = architecture.hidden_size(task.inputs, task.outputs, 500)
    built = sum(parameter.numel() for parameter in build(architecture, task, 500, 0).parameters())
    assert built == architecture.parameters(task.inputs, size, task.outputs)


@given(name=st.sampled_from(list(ARCHITECTURES)), budget=st.integers(100, 20_000))
def test_no_other_size_comes_nearer_to_the_budget(name: ArchitectureName, budget: int) -> None:
    architecture = ARCHITECTURES[name]
    size = architecture.hidden_size(2, 1, budget)
    misses = [abs(architecture.parameters(2, near, 1) - budget) for near in (max(1, size - 1), size, size + 1)]
    assert misses[1] == min(misses)
