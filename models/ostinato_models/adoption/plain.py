"""Running a plain model, whatever its layout: rows of tokens and states to logits and states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ostinato_models.adoption.errors import AdoptionError, reason
from ostinato_models.adoption.roles import Roles
from ostinato_models.export.execution import Array, GraphRun

States = list[Array]
EXACT_LIMIT = 1e-4
"""How far a float32 model's results may be apart, relative to values above 1: another order of summation."""


@dataclass(frozen=True, slots=True)
class PlainModel:
    """A plain model that can be run.

    Attributes:
        path: its file, for errors.
        run: runs it, by the names of its tensors.
        roles: which tensor is which.
        limit: how far apart its results may be, relative to values above 1: rounding of the type that it computes in.
        traits: what of its structure may explain a result: ``bidirectional``, ``attention``, ``convolution``,
            ``positions``.
        ordered: whether its results have no names, as those of TorchScript, and are told apart by their order.
    """

    path: Path
    run: GraphRun
    roles: Roles
    limit: float = EXACT_LIMIT
    traits: frozenset[str] = frozenset()
    ordered: bool = False

    @property
    def reads_several(self) -> bool:
        """Whether it declares that it takes several tokens in one call."""
        token = self.roles.token
        return len(token.shape) == 2 and self.roles.time_axis in token.dynamic

    def zeros(self, rows: int) -> States:
        """The states at the start of a text, in the model's own layout."""
        return [np.zeros(_in_layout(role.sizes, rows, role.batch_axis), np.float32) for role in self.roles.states]

    def random(self, random: np.random.Generator, rows: int) -> States:
        """States as they may occur, in the model's own layout."""
        return [
            random.uniform(-0.9, 0.9, _in_layout(role.sizes, rows, role.batch_axis)).astype(np.float32)
            for role in self.roles.states
        ]

    def read(self, tokens: Array, states: States) -> tuple[Array, States]:
        """Read tokens in one call.

        Args:
            tokens: (B, T); T is 1 where the model takes one token.
            states: in the model's own layout.

        Returns:
            Logits as (B, T, V), or (B, V) where the model gives those of the last token only, and the new states.

        Raises:
            AdoptionError: the model fails.
        """
        rows, length = tokens.shape
        given = tokens[:, 0] if len(self.roles.token.shape) == 1 else tokens
        if given.ndim == 2 and self.roles.time_axis == 0:
            given = given.T
        inputs = {self.roles.token.name: np.ascontiguousarray(given).astype(self.roles.token.data_type)}
        inputs |= {role.taken.name: value for role, value in zip(self.roles.states, states, strict=True)}
        try:
            result: Mapping[str, Array] = self.run(inputs)
        except Exception as error:  # ONNX Runtime has an exception class for each status, without a common base
            what = f"cannot step a batch of {rows} rows" if length == 1 else f"fails on {rows} rows of {length} tokens"
            raise AdoptionError(self.path, [f"{what}: {reason(error)}"]) from error
        logits = result[self.roles.logits.name]
        if logits.ndim == 2 and length > 1 and len(logits) == rows * length:  # both in one axis
            logits = logits.reshape(*given.shape, logits.shape[1])
        if logits.ndim == 3 and self.roles.time_axis == 0:
            logits = logits.swapaxes(0, 1)
        return logits, [result[role.given.name] for role in self.roles.states]

    def step(self, token: Array, states: States) -> tuple[Array, States]:
        """Read one token (B,): logits (B, V) and the new states.

        Raises:
            AdoptionError: the model fails.
        """
        logits, following = self.read(token[:, None], states)
        return logits[:, -1] if logits.ndim == 3 else logits, following

    def by_rows(self, states: States) -> States:
        """States with the batch first."""
        return [np.moveaxis(value, role.batch_axis, 0) for role, value in zip(self.roles.states, states, strict=True)]


def distance(ours: Array, theirs: Array) -> float:
    """The largest difference, relative to values above 1; infinite where shapes differ or one is not a number."""
    if ours.shape != theirs.shape:
        return float("inf")
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    largest = float((np.abs(ours - theirs) / np.maximum(1.0, np.abs(theirs))).max(initial=0.0))
    return float("inf") if np.isnan(largest) else largest


def _in_layout(sizes: tuple[int, ...], rows: int, axis: int) -> tuple[int, ...]:
    return (*sizes[:axis], rows, *sizes[axis:])
