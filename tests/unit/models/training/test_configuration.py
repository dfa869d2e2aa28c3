"""Training configurations and presets are checked when they are made."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ostinato_models.errors import ConfigurationError
from ostinato_models.presets import TASKS, PresetName, TaskName, preset
from ostinato_models.training.configuration import TrainingConfig


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("seed", -1),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("clip_norm", -1.0),
        ("teacher_forcing", 1.1),
        ("precision", "fp8"),
    ],
)
def test_a_value_outside_its_domain_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TrainingConfig(**{"epochs": 1, field: value})

    assert caught.value.field == field


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", ["quick", "full"])
def test_every_task_has_its_two_presets_that_survive_json(task: TaskName, name: PresetName) -> None:
    found = preset(task, name)

    assert (found.task, found.name) == (task, name)
    training = TrainingConfig.from_dict(json.loads(json.dumps(found.training.to_dict())))
    assert training == found.training


def test_an_unknown_preset_or_task_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="quick or full"):
        preset("char-lm", "slow")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="char-lm, sentiment, translation"):
        preset("vision", "quick")  # type: ignore[arg-type]


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="momentum"):
        TrainingConfig.from_dict({"epochs": 1, "momentum": 0.9})
