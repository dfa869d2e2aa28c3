"""The sentences say what the numbers say, and the opposite for opposite numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ostinato_models.lab.gradient_flow.clipping import Training
from ostinato_models.lab.gradient_flow.findings import say_cells, say_clipping, say_flow, scientific
from ostinato_models.lab.gradient_flow.networks import NETWORKS, NetworkName
from ostinato_models.lab.gradient_flow.profiles import Case, Profile
from ostinato_models.lab.gradient_flow.settings import PRESETS

SETTINGS = replace(PRESETS["quick"], radii=(0.5, 2.0), lengths=(2,), repeats=1)


def profile(network: NetworkName, radius: float, reach: float, closest: float = 0.9) -> Profile:
    bounded = NETWORKS[network].bounded
    ratios = np.array([1.0, reach**0.5, reach])
    return Profile(
        case=Case(network, "orthogonal", radius, 2),
        state="h",
        start=1.0,
        ratios=ratios,
        lowest=reach,
        highest=reach,
        bounds=radius ** np.arange(3.0) if bounded else None,
        closest=closest if bounded else None,
    )


def test_flow_shrinks_or_grows_as_measured() -> None:
    measured = [
        profile(name, radius, reach) for name in ("rnn-tanh", "rnn-relu") for radius, reach in ((0.5, 0.04), (2.0, 3e9))
    ]
    sentence = say_flow(SETTINGS, measured)
    assert "the tanh RNN shrinks to 0.04 of itself at spectral radius 0.5 and grows to 3.0·10⁹ at 2" in sentence
    assert "all 8 norms measured in vanilla networks obey the theoretical bound" in sentence
    assert "reaching 90 % of it" in sentence


def test_a_broken_bound_is_reported_as_broken() -> None:
    measured = [
        profile(name, radius, 0.5, closest=1.2 if name == "rnn-relu" else 0.5)
        for name in ("rnn-tanh", "rnn-relu")
        for radius in (0.5, 2.0)
    ]
    assert "2 of 4 vanilla cases break the theoretical bound" in say_flow(SETTINGS, measured)


def test_cells_are_ordered_by_what_arrives() -> None:
    reaches: dict[NetworkName, float] = {"rnn-tanh": 0.2, "rnn-relu": 0.1, "lstm": 0.3, "gru": 1e-9}
    settings = replace(SETTINGS, radii=(1.0,))
    sentence = say_cells(settings, [profile(name, 1.0, reach) for name, reach in reaches.items()])
    assert "0.3 (LSTM), 0.2 (tanh RNN), 0.1 (ReLU RNN), 1.0·10⁻⁹ (GRU)" in sentence
    assert "in the LSTM, is still above 1 % after 2 steps" in sentence

    sentence = say_cells(settings, [profile(name, 1.0, reach / 1e6) for name, reach in reaches.items()])
    assert "in the LSTM, falls below 1 % 1 steps back" in sentence


def test_clipping_is_told_as_it_went() -> None:
    lost = Training(None, (4.0, float("nan")), (1e9, float("nan")))
    fine = Training(1.0, (4.0, 3.0, 2.5), (0.5, 20.0, 1e9))
    sentence = say_clipping(lost, fine)
    assert "without clipping overflowed at update 2" in sentence
    assert "clipped at norm 1 went from 4.00 to 2.50 nats per character in 3 updates" in sentence
    assert "with 2 of its gradients cut, the largest from a norm of 1.0·10⁹" in sentence

    sentence = say_clipping(replace(fine, clip_norm=None), replace(lost, clip_norm=1.0))
    assert "without clipping ended at 2.50" in sentence
    assert "clipped at norm 1 overflowed at update 2" in sentence


@pytest.mark.parametrize(("value", "text"), [(1.0, "1"), (0.351, "0.351"), (2.66e-7, "2.7·10⁻⁷"), (12345.0, "1.2·10⁴")])
def test_numbers_of_any_size_are_short(value: float, text: str) -> None:
    assert scientific(value) == text
