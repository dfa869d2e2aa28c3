"""The experiments there are, known by name only until one of them is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ostinato_models.lab.errors import UnknownExperimentError

if TYPE_CHECKING:
    from ostinato_models.lab.experiment import Experiment


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an experiment is and what it asks.

    Attributes:
        module: has the `Experiment` as its attribute ``EXPERIMENT``.
        question: one line for the list of experiments.
    """

    module: str
    question: str


CATALOGUE: Mapping[str, Entry] = MappingProxyType(
    {
        "gradient-flow": Entry(
            "ostinato_models.lab.gradient_flow.experiment",
            "How far back in time does a gradient reach in an RNN, an LSTM and a GRU?",
        ),
        "attention": Entry(
            "ostinato_models.lab.attention.experiment",
            "What does an encoder-decoder lose without attention, and where does attention look?",
        ),
    }
)


def load_experiment(name: str) -> Experiment[Any, Any]:
    """Import the experiment called `name`.

    Raises:
        UnknownExperimentError: there is none.
    """
    if name not in CATALOGUE:
        raise UnknownExperimentError(name, CATALOGUE)
    experiment: Experiment[Any, Any] = import_module(CATALOGUE[name].module).EXPERIMENT
    return experiment
