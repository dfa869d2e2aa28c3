"""Training a vanilla network whose gradients explode, with the gradient clipped and unclipped."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from ostinato_models.lab.gradient_flow.networks import NETWORKS, NetworkName, build, unroll
from ostinato_models.lab.gradient_flow.settings import GradientFlowSettings
from ostinato_models.lab.gradient_flow.texts import Text

CLIPPED_NETWORK: NetworkName = "rnn-relu"


@dataclass(frozen=True, slots=True)
class Training:
    """One training, an entry per update; it ends early when the loss stops being a number.

    Attributes:
        clip_norm: the largest norm let through; None lets everything through.
        losses: nats per character before the update.
        norms: of the gradient of all parameters, before clipping.
    """

    clip_norm: float | None
    losses: tuple[float, ...]
    norms: tuple[float, ...]

    @property
    def applied(self) -> tuple[float, ...]:
        """Norms of the gradients that the updates were made with."""
        if self.clip_norm is None:
            return self.norms
        return tuple(min(norm, self.clip_norm) for norm in self.norms)

    @property
    def diverged(self) -> bool:
        """Whether the loss or the gradient stopped being a number."""
        return not math.isfinite(self.losses[-1]) or not math.isfinite(self.norms[-1])


def train(settings: GradientFlowSettings, text: Text, clip_norm: float | None) -> Training:
    """Train by plain gradient descent, on the same batches whatever `clip_norm` is."""
    model = build(
        CLIPPED_NETWORK,
        vocabulary_size=text.vocabulary_size,
        embedding_size=settings.embedding_size,
        hidden_size=settings.hidden_size,
        initialisation="orthogonal",
        radius=settings.clip_radius,
        seed=settings.seed,
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.clip_learning_rate)
    losses: list[float] = []
    norms: list[float] = []
    for update in range(settings.clip_updates):
        window = text.windows(settings.batch_size, settings.clip_length, settings.seed + update)
        states = unroll(model, NETWORKS[CLIPPED_NETWORK].step, window[:, :-1])
        hidden = torch.stack([state[0] for state in states[1:]], dim=1)  # (B, T, H)
        loss = cross_entropy(model.output(hidden).flatten(0, 1), window[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        limit = math.inf if clip_norm is None else clip_norm
        losses.append(float(loss.detach()))
        norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), limit)))
        if not math.isfinite(losses[-1]) or not math.isfinite(norms[-1]):
            break
        optimizer.step()
    return Training(clip_norm, tuple(losses), tuple(norms))
