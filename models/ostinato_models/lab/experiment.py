"""What an experiment is: settings by preset, a function that runs them, a report of the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from ostinato_models.lab.report import Report
from ostinato_models.presets import PresetName

Watch: TypeAlias = Callable[[int, int], None]
"""Is told how much of the work is done, and how much there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an experiment finds around it; results depend on the settings and these files alone.

    Attributes:
        watch: told how far the work is.
        data_dir: the folder of the data sets; only ``full`` presets read it.
    """

    watch: Watch
    data_dir: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every experiment can be told; each adds its own.

    Attributes:
        seed: decides every random number of the experiment.
    """

    seed: int = 0


SettingsT = TypeVar("SettingsT", bound=Settings)
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment(Generic[SettingsT, ResultT]):
    """One experiment.

    Attributes:
        presets: its settings; ``quick`` takes seconds, ``full`` is what `docs/experiments` shows.
        run: measures; equal settings give an equal result, timings aside.
        report: says in words, tables and figures what was measured.
    """

    presets: Mapping[PresetName, SettingsT]
    run: Callable[[SettingsT, Context], ResultT]
    report: Callable[[ResultT], Report]
