"""What an evaluation found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

ProgressReport: TypeAlias = Callable[[int, int], None]
"""Told how much is done, of how much."""


def no_report(done: int, total: int) -> None:
    """Report to nobody."""
    del done, total


@dataclass(frozen=True, slots=True)
class Measured:
    """Measures by name, and how they came about.

    Attributes:
        measures: the values.
        count: examples that were measured: characters, texts or sentences.
        details: what else decides the values, by name: a signature, a beam size, how often each of several things came.
    """

    measures: Mapping[str, float]
    count: int
    details: Mapping[str, str | int | Mapping[str, int]] = field(default_factory=dict)
