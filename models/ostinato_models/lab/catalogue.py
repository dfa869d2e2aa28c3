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
        "architectures": Entry(
            "ostinato_models.lab.architectures.experiment",
            "What do RNN, LSTM, GRU and BiLSTM of equal size cost, and how far back do they learn to look?",
        ),
        "stability": Entry(
            "ostinato_models.lab.stability.experiment",
            "At which sequence lengths and learning rates does each of them train stably?",
        ),
        "sentiment-comparison": Entry(
            "ostinato_models.lab.sentiment_comparison.experiment",
            "Bag of words, RNN, LSTM, GRU or BiLSTM: how right, how dear, and who follows a negation?",
        ),
        "attention": Entry(
            "ostinato_models.lab.attention.experiment",
            "What does an encoder-decoder lose without attention, and where does attention look?",
        ),
        "sampling": Entry(
            "ostinato_models.lab.sampling.experiment",
            "What do temperature, top-k and top-p do to the text that a language model writes?",
        ),
        "word-sense": Entry(
            "ostinato_models.lab.word_sense.experiment",
            'Which "bank" is it: what does an encoder know at the word, one-way and two-way?',
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
