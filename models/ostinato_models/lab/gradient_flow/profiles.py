"""How a gradient's norm changes on its way back in time, and the bound on it.

For a vanilla network ``∂h_t/∂h_{t-1} = diag(φ'(a_t)) W``, so with sigma the largest singular value of
W and gamma = sup |φ'|, ``‖∂loss/∂h_{T-k}‖ ≤ (gamma sigma)^k ‖∂loss/∂h_T‖``: Pascanu, Mikolov &
Bengio, "On the difficulty of training recurrent neural networks", ICML 2013, section 2.1. Tanh,
ReLU and the identity all have gamma = 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from ostinato_models.lab.gradient_flow.networks import (
    NETWORKS,
    Initialisation,
    NetworkName,
    build,
    recurrent_matrix,
    unroll,
)
from ostinato_models.lab.gradient_flow.settings import GradientFlowSettings
from ostinato_models.lab.gradient_flow.texts import Text
from ostinato_models.networks import CharLanguageModel
from ostinato_models.networks.cells import StepFunction

Norms: TypeAlias = NDArray[np.float64]
StateName: TypeAlias = Literal["h", "c"]

TINY = float(np.finfo(np.float64).tiny)
"""Stands for a gradient of exactly zero where a logarithm is taken."""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of network, in one size of its recurrent matrix, on sequences of one length."""

    network: NetworkName
    initialisation: Initialisation
    radius: float
    length: int


@dataclass(frozen=True, slots=True)
class Profile:
    """A gradient's norm by distance, over all networks drawn for a case.

    Attributes:
        case: what was measured.
        state: of which state: hidden, or the LSTM's cell state.
        start: ``‖∂loss/∂h_T‖``, geometric mean over the draws.
        ratios: ``‖∂loss/∂h_{T-k}‖ / ‖∂loss/∂h_T‖`` for k = 0…T, geometric mean over the draws.
        lowest: the smallest ratio at distance T among the draws.
        highest: the largest.
        bounds: ``(gamma sigma)^k`` for k = 0…T, geometric mean; None where the theory says nothing.
        closest: the largest of ratio / bound over all draws and distances from 1; None likewise.
    """

    case: Case
    state: StateName
    start: float
    ratios: Norms
    lowest: float
    highest: float
    bounds: Norms | None
    closest: float | None

    @property
    def reach(self) -> float:
        """The ratio at the first step of the sequence."""
        return float(self.ratios[-1])


def cases(settings: GradientFlowSettings) -> Iterator[Case]:
    """Every network, radius and length with orthogonal matrices; Gaussian ones where there is a bound to loosen."""
    for network, kind in NETWORKS.items():
        for radius in settings.radii:
            for length in settings.lengths:
                yield Case(network, "orthogonal", radius, length)
            if kind.bounded:
                yield Case(network, "gaussian", radius, settings.longest)


def measure(case: Case, settings: GradientFlowSettings, text: Text) -> list[Profile]:
    """Draw networks for `case` and measure them; one profile per tensor of the state."""
    drawn: list[list[Norms]] = []
    sigmas: list[float] = []
    network = NETWORKS[case.network]
    for repeat in range(settings.repeats):
        seed = settings.seed + repeat
        model = build(
            case.network,
            vocabulary_size=text.vocabulary_size,
            embedding_size=settings.embedding_size,
            hidden_size=settings.hidden_size,
            initialisation=case.initialisation,
            radius=case.radius,
            seed=seed,
        )
        drawn.append(gradient_norms(model, network.step, text.windows(settings.batch_size, case.length, seed)))
        sigmas.append(largest_singular_value(recurrent_matrix(model)))
    bounds = (
        np.array(sigmas, dtype=np.float64)[:, None] ** np.arange(case.length + 1, dtype=np.float64)
        if network.bounded
        else None
    )  # (R, T+1)
    states: tuple[StateName, ...] = ("h", "c")
    return [
        summarise(case, state, np.stack(norms), bounds)
        for state, norms in zip(states, zip(*drawn, strict=True), strict=False)
    ]


def gradient_norms(model: CharLanguageModel, step: StepFunction, window: Tensor) -> list[Norms]:
    """The norm of the gradient of every state, by distance back from the last.

    The loss is the cross entropy of the last character alone: with a loss at every step, gradients
    that came different distances would add up.

    Args:
        model: one layer, one direction.
        step: the cell's equations.
        window: T + 1 characters a row, int64 (B, T + 1).

    Returns:
        For each tensor of the state, norms (T + 1,): a row's Euclidean norm, root mean square
        over rows. Each row obeys the bound, hence so does this mean.
    """
    states = unroll(model, step, window[:, :-1])
    loss = cross_entropy(model.output(states[-1][0]), window[:, -1], reduction="sum")
    parts = len(states[0])
    flat = torch.autograd.grad(loss, [tensor for state in reversed(states) for tensor in state])
    squares = torch.stack([gradient.square().sum(dim=-1).mean() for gradient in flat]).reshape(-1, parts)  # (T+1, S)
    return list(squares.sqrt().T.numpy())


def summarise(case: Case, state: StateName, norms: Norms, bounds: Norms | None) -> Profile:
    """Make one profile of the draws' `norms` and `bounds`, each (R, T + 1)."""
    norms = np.maximum(norms, TINY)
    ratios = norms / norms[:, :1]
    return Profile(
        case=case,
        state=state,
        start=float(geometric_mean(norms[:, 0])),
        ratios=geometric_mean(ratios),
        lowest=float(ratios[:, -1].min()),
        highest=float(ratios[:, -1].max()),
        bounds=None if bounds is None else geometric_mean(bounds),
        closest=None if bounds is None else float((ratios / bounds)[:, 1:].max()),
    )


def geometric_mean(values: Norms) -> Norms:
    """The mean of the logarithms over the first axis: the mean of what spans orders of magnitude."""
    return np.asarray(np.exp(np.log(values).mean(axis=0)))


def largest_singular_value(matrix: Tensor) -> float:
    """The factor by which a matrix stretches a vector at most."""
    return float(torch.linalg.matrix_norm(matrix.detach(), ord=2))


def select(
    profiles: Sequence[Profile],
    network: NetworkName,
    *,
    initialisation: Initialisation = "orthogonal",
    length: int | None = None,
    radius: float | None = None,
    state: StateName = "h",
) -> list[Profile]:
    """The profiles of `network` that fit what is given, in the order measured."""
    return [
        profile
        for profile in profiles
        if profile.state == state
        and (profile.case.network, profile.case.initialisation) == (network, initialisation)
        and length in (None, profile.case.length)
        and radius in (None, profile.case.radius)
    ]
