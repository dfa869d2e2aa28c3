"""Measured norms: right by finite differences, within the bound, and exact where theory is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from ostinato_models.lab.gradient_flow.networks import NETWORKS, Initialisation, NetworkName, build, unroll
from ostinato_models.lab.gradient_flow.profiles import Case, cases, geometric_mean, gradient_norms, measure, summarise
from ostinato_models.lab.gradient_flow.settings import PRESETS
from ostinato_models.lab.gradient_flow.texts import Text

SMALL = replace(PRESETS["quick"], hidden_size=16, embedding_size=8, batch_size=3, repeats=2)
TEXT = Text(torch.from_numpy(np.random.default_rng(0).integers(0, 11, 500)), 11)


def test_a_linear_orthogonal_network_of_radius_1_keeps_the_norm() -> None:
    (profile,) = measure(Case("linear", "orthogonal", 1.0, 60), SMALL, TEXT)
    assert profile.ratios == pytest.approx(np.ones(61), abs=1e-9)


@pytest.mark.parametrize("radius", [0.6, 1.7])
def test_a_linear_orthogonal_network_attains_the_bound(radius: float) -> None:
    (profile,) = measure(Case("linear", "orthogonal", radius, 40), SMALL, TEXT)
    assert profile.bounds == pytest.approx(radius ** np.arange(41.0), rel=1e-9)
    assert profile.ratios == pytest.approx(radius ** np.arange(41.0), rel=1e-9)
    assert profile.closest == pytest.approx(1.0, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    network=st.sampled_from(["linear", "rnn-tanh", "rnn-relu"]),
    initialisation=st.sampled_from(["orthogonal", "gaussian"]),
    radius=st.floats(0.1, 3.0),
    length=st.integers(1, 20),
    seed=st.integers(0, 2**31),
)
def test_no_vanilla_network_passes_the_bound(
    network: NetworkName, initialisation: Initialisation, radius: float, length: int, seed: int
) -> None:
    (profile,) = measure(Case(network, initialisation, radius, length), replace(SMALL, repeats=1, seed=seed), TEXT)
    assert profile.bounds is not None
    assert (profile.ratios <= profile.bounds * (1 + 1e-9)).all()


def test_tanh_vanishes_below_radius_1_and_explodes_far_above() -> None:
    low, high = (measure(Case("rnn-tanh", "orthogonal", radius, 40), SMALL, TEXT)[0].reach for radius in (0.5, 3.0))
    assert low < 0.5**40
    assert high > 10


def test_gated_networks_have_no_bound_and_the_lstm_two_states() -> None:
    assert [p.state for p in measure(Case("lstm", "orthogonal", 1.0, 4), SMALL, TEXT)] == ["h", "c"]
    (gru,) = measure(Case("gru", "orthogonal", 1.0, 4), SMALL, TEXT)
    assert (gru.bounds, gru.closest) == (None, None)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_the_norm_at_the_first_state_is_that_of_finite_differences(name: NetworkName) -> None:
    model = build(
        name, vocabulary_size=11, embedding_size=4, hidden_size=6, initialisation="gaussian", radius=1.2, seed=2
    )
    step, window = NETWORKS[name].step, TEXT.windows(1, 5, 0)
    norms = gradient_norms(model, step, window)
    assert [part.shape for part in norms] == [(6,)] * len(model.recurrent.initial_state(1))

    weights = model.recurrent.layer_weights(0)[0]
    with torch.no_grad():
        first = unroll(model, step, window[:, :-1])[0]
        projected = torch.nn.functional.linear(model.embedding(window[:, :-1]), weights.weight_ih, weights.bias_ih)
        slopes = []
        for unit in range(6):
            losses = []
            for nudge in (1e-6, -1e-6):
                state = tuple(part.clone() for part in first)
                state[0][0, unit] += nudge
                for time in range(5):
                    state = step(projected[:, time], state, weights.weight_hh, weights.bias_hh)
                losses.append(float(cross_entropy(model.output(state[0]), window[:, -1])))
            slopes.append((losses[0] - losses[1]) / 2e-6)
    assert float(norms[0][-1]) == pytest.approx(float(np.linalg.norm(slopes)), rel=1e-5)


def test_draws_are_averaged_in_the_logarithm() -> None:
    assert geometric_mean(np.array([[1e-10], [1e-20]])) == pytest.approx([1e-15])
    profile = summarise(
        Case("rnn-tanh", "orthogonal", 1.0, 1), "h", np.array([[2.0, 1.0], [8.0, 1.0]]), np.array([[1.0, 1.0]] * 2)
    )
    assert profile.start == pytest.approx(4.0)
    assert profile.ratios == pytest.approx([1.0, 0.25])
    assert (profile.lowest, profile.highest, profile.closest) == (0.125, 0.5, 0.5)


def test_a_gradient_of_exactly_zero_is_a_very_small_ratio() -> None:
    profile = summarise(Case("rnn-relu", "orthogonal", 1.0, 1), "h", np.array([[1.0, 0.0]]), None)
    assert 0 < profile.reach < 1e-300


def test_every_network_is_measured_at_every_radius_and_length() -> None:
    planned = list(cases(replace(SMALL, radii=(0.5, 2.0), lengths=(4, 8))))
    assert len(planned) == 5 * 2 * 2 + 3 * 2
    assert {case.length for case in planned if case.initialisation == "gaussian"} == {8}
