"""The moving average: what it is, and that the model has its own weights back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ostinato_models.training.averaging import WeightAverage


def set_to(model: nn.Linear, value: float) -> None:
    with torch.no_grad():
        model.weight.fill_(value)


def test_early_updates_count_more_than_the_decay_says() -> None:
    model = nn.Linear(1, 1, bias=False)
    set_to(model, 0.0)
    average = WeightAverage(model, decay=0.5)
    expected = 0.0
    for number, value in enumerate([1.0, 3.0, 2.0, -1.0, 5.0, 4.0, 4.0, 4.0, 7.0, 1.0], start=1):
        set_to(model, value)
        average.update()
        decay = min(0.5, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * value
        with average.applied():
            assert model.weight.item() == pytest.approx(expected)
        assert model.weight.item() == value


def test_an_error_inside_gives_the_weights_back() -> None:
    model = nn.Linear(1, 1, bias=False)
    average = WeightAverage(model, decay=0.9)
    set_to(model, 2.0)
    with pytest.raises(ZeroDivisionError), average.applied():
        raise ZeroDivisionError
    assert model.weight.item() == 2.0


def test_a_restored_average_goes_on_alike() -> None:
    model = nn.Linear(3, 2)
    first = WeightAverage(model, decay=0.9)
    first.update()
    second = WeightAverage(nn.Linear(3, 2), decay=0.9)
    second.restore(**first.state())

    assert second.state()["updates"] == 1
    assert all(torch.equal(a, b) for a, b in zip(second.state()["average"], first.state()["average"], strict=True))
