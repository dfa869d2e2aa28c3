"""The trained models as they would be served, and how long they take for one text."""

from __future__ import annotations

import pickle
import time
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ostinato_models.data.examples import POSITIVE
from ostinato_models.evaluation.batches import batches_by_length
from ostinato_models.export.execution import open_onnx
from ostinato_models.export.graphs import graphs_of
from ostinato_models.export.source import make_source
from ostinato_models.lab.sentiment_comparison.training import TrainedBag, TrainedNetwork
from ostinato_models.tokenization import UNKNOWN_ID

BATCH = 64
"""Texts scored together; for latency it is always one."""

FloatArray = NDArray[np.float64]


class Served(Protocol):
    """What can be asked about texts."""

    @property
    def parameters(self) -> int:
        """Numbers learnt."""

    @property
    def size(self) -> int:
        """Bytes of the file that is served."""

    def positive_probabilities(self, texts: Sequence[str]) -> FloatArray:
        """Probability of the positive class for each text, (len(texts),)."""


class ServedBag:
    """A bag of words in scikit-learn, which is how it would be served: pickled."""

    def __init__(self, trained: TrainedBag) -> None:
        """Take the fitted model."""
        self._model = trained.model
        self.parameters = trained.model.parameters
        self.size = len(pickle.dumps(trained.model))

    def positive_probabilities(self, texts: Sequence[str]) -> FloatArray:
        """Probability of the positive class for each text, (len(texts),)."""
        return self._model.positive_probabilities(texts)


class ServedNetwork:
    """A network as a bundle serves it: the int8 ONNX graph in ONNX Runtime, on one thread, behind its tokenizer."""

    def __init__(self, trained: TrainedNetwork, tokenizer: Tokenizer) -> None:
        """Export the network and open the graph."""
        weights = {name: value.numpy() for name, value in trained.model.state_dict().items()}
        graphs = graphs_of(make_source(trained.model.config, weights, tokenizer.to_str(), {"task": "sentiment"}))
        file = graphs.onnx("classifier", "int8").SerializeToString()
        self._tokenizer = tokenizer
        self._run = open_onnx(file, graphs.signatures()["classifier"])
        self._limit = graphs.limits.max_input_tokens
        self.parameters = sum(parameter.numel() for parameter in trained.model.parameters())
        self.size = len(file)

    def positive_probabilities(self, texts: Sequence[str]) -> FloatArray:
        """Probability of the positive class for each text, (len(texts),)."""
        rows = [entry.ids[: self._limit] or [UNKNOWN_ID] for entry in self._tokenizer.encode_batch(list(texts))]
        found = np.empty(len(rows))
        for chosen, tokens, lengths in batches_by_length(rows, BATCH):
            found[chosen] = self._run({"tokens": tokens, "lengths": lengths})["probabilities"][:, POSITIVE]
        return found


def measure_latencies(served: Served, texts: Sequence[str], rounds: int) -> FloatArray:
    """Time from a text to its probability, one text at a time.

    The fastest of `rounds` passes counts for each text: what others on the machine take is then
    left out, and how the times spread says how the texts differ.

    Returns:
        Milliseconds for each text, (len(texts),).
    """
    fastest = np.full(len(texts), np.inf)
    for _ in range(rounds):
        for index, text in enumerate(texts):
            started = time.perf_counter()
            served.positive_probabilities([text])
            fastest[index] = min(fastest[index], time.perf_counter() - started)
    return 1000.0 * fastest
