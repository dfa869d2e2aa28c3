"""The largest differences between an artifact and PyTorch, and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ostinato_bundle import Artifact, Parity
from ostinato_models.export.errors import ParityError
from ostinato_models.export.execution import Array

EXACT: Mapping[str, float] = {
    "logprob": 1e-3,
    "probability": 1e-4,
    "state": 1e-3,
    "memory": 1e-4,
    "attention": 1e-3,
    "tokens": 0.02,
}
"""Allowed in fp32: other summation orders, carried through a rollout."""

QUANTIZED: Mapping[str, float] = {
    "logprob": 1.0,
    "probability": 0.05,
    "state": 1.0,
    "memory": 0.2,
    "attention": 0.2,
    "tokens": 0.2,
}
"""Allowed in int8: 7-bit weights and 8-bit activations, carried through a rollout; what that costs in quality is what
the bundle's evaluation says."""

MEANINGS: Mapping[str, str] = {
    "logprob": "log-probabilities (nats)",
    "probability": "class probabilities",
    "state": "hidden and cell states after a rollout",
    "memory": "encoder states and attention keys",
    "attention": "attention weights",
    "tokens": "share of chosen tokens that differ",
}


@dataclass(slots=True)
class Differences:
    """Collects differences by file and quantity.

    Attributes:
        artifact: what the files are.
        allowed: by quantity; None for what is usual for the artifact.
    """

    artifact: Artifact
    allowed: Mapping[str, float] | None = None
    largest: dict[tuple[str, str], float] = field(default_factory=dict)
    cases: dict[tuple[str, str], int] = field(default_factory=dict)
    shares: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, file: str, quantity: str, ours: Array, theirs: Array) -> None:
        """Compare two arrays; a shape that differs, or a NaN, is infinitely far off."""
        distance = np.inf
        if ours.shape == theirs.shape:
            distance = float(np.abs(ours.astype(np.float64) - theirs).max(initial=0.0))
        self._note(file, quantity, np.inf if np.isnan(distance) else distance)

    def add_tokens(self, file: str, ours: Array, theirs: Array) -> None:
        """Count the tokens that were chosen differently."""
        differing, of = self.shares.get(file, (0, 0))
        self.shares[file] = differing + int((ours != theirs).sum()), of + theirs.size
        self.cases[file, "tokens"] = self.cases.get((file, "tokens"), 0) + 1
        self.largest[file, "tokens"] = self.shares[file][0] / max(1, self.shares[file][1])

    def records(self) -> list[Parity]:
        """What goes into the manifest.

        Raises:
            ParityError: a difference is over its tolerance.
        """
        allowed = self.allowed or (QUANTIZED if self.artifact == "onnx-int8" else EXACT)
        for (file, quantity), difference in self.largest.items():
            if not difference <= allowed[quantity]:
                raise ParityError(file, MEANINGS[quantity], difference, allowed[quantity])
        return [
            Parity(
                file=file,
                what=MEANINGS[quantity],
                max_abs_difference=difference,
                tolerance=allowed[quantity],
                cases=self.cases[file, quantity],
            )
            for (file, quantity), difference in self.largest.items()
        ]

    def _note(self, file: str, quantity: str, distance: float) -> None:
        key = file, quantity
        self.largest[key] = max(self.largest.get(key, 0.0), distance)
        self.cases[key] = self.cases.get(key, 0) + 1
