"""Controls compared at one quality: what variety each leaves where as many words are real as in real text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ostinato_models.lab.sampling.sweeps import Point


@dataclass(frozen=True, slots=True)
class Balance:
    """Where the share of real words crosses a target, between two values of a control.

    Attributes:
        stricter: the value with at least the target.
        looser: the next one, with less.
        way: how far the target is on the line from the one to the other, 0 to 1.
    """

    stricter: Point
    looser: Point
    way: float

    @property
    def variety(self) -> float:
        """Distinct word pairs at the target, interpolated along that line."""
        first, second = self.stricter.measures.distinct[1], self.looser.measures.distinct[1]
        return first + self.way * (second - first)

    @property
    def nearer(self) -> Point:
        """The one of the two values whose share of real words is nearer to the target."""
        return self.looser if self.way > 0.5 else self.stricter


def balance(points: Sequence[Point], target: float) -> Balance | None:
    """The loosest crossing of `target` in a sweep from strict to loose; None where the share never crosses it."""
    for stricter, looser in reversed(list(pairwise(points))):
        above, below = stricter.measures.real_words, looser.measures.real_words
        if above >= target > below:
            return Balance(stricter, looser, (above - target) / (above - below))
    return None
