"""What a comparison found, as files: one for each server, with versions and configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

Run = Mapping[str, Any]
"""What one drive of one server printed."""


@dataclass(frozen=True, slots=True)
class Record:
    """A server's results file.

    Attributes:
        name: The server.
        when: When the comparison that it was part of began, in ISO 8601.
        configuration: How it was set up.
        versions: Every package of its environment.
        rounds: What each round saw.
        beside: Ostinato's own rounds in the same comparison, by name: what ratios are made with.
        reason: Why it could not be measured; empty where it was.
    """

    name: str
    when: str
    configuration: Mapping[str, Any]
    versions: Mapping[str, str]
    rounds: Sequence[Run]
    beside: Mapping[str, Sequence[Run]]
    reason: str = ""

    def write(self, folder: Path) -> None:
        """Writes it to ``NAME.json``."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        (folder / f"{self.name}.json").write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Record:
        """Reads what ``write`` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def mean(rounds: Sequence[Run], *path: str) -> float | None:
    """The mean of a figure over the rounds; None where a round lacks it."""
    found: list[float] = []
    for each in rounds:
        value: Any = each
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is None:
            return None
        found.append(float(value))
    return fmean(found) if found else None
