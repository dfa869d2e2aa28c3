"""Running every graph of a bundle once, before anybody waits for it.

A runtime does much lazily, so the first run pays for what the first request would; and a graph that cannot do what the
engine will ask of it is found out here. What is read is the last token of the vocabulary, so that a table of embeddings
that is too short shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from ostinato_bundle import Bundle, BundleError, Graph
from ostinato_server.runtime.base import Array, GraphRunner, StepTable
from ostinato_server.runtime.signature import deviation

_TOKENS = 2
"""Tokens of the text that is read."""

_CLASSES = 2
"""Negative and positive."""


def warm_step(bundle: Bundle, table: StepTable) -> None:
    """Makes a step, and two in one run.

    Raises:
        BundleError: The graph cannot be run, or does not give what a stream needs.
    """
    graph, limits = bundle.manifest.graphs["step"], bundle.manifest.limits
    memory = tuple(np.zeros((1, *tensor.shape[2:]), np.float32) for tensor in graph.memory)
    with _told_of(bundle, "step"):
        table.write(0, (), memory)
        table.columns["token"][0] = _last_token(bundle)
        if "lengths" in table.columns:
            table.columns["lengths"][0] = 1
        table.run(1, np.zeros((2, 1), np.float32))
        table.columns["token"][0] = _last_token(bundle)
        results = table.step(1)
        _check(graph, results, ("next_token", "logprob"))
        # A beam of width k looks at the 2 k likeliest tokens, so that k of them go on if all the others end.
        ranks = max(limits.max_alternatives, 2 * limits.max_beam_size if limits.max_beam_size > 1 else 0)
        for name in ("top_tokens", "top_logprobs") if ranks else ():
            if results[name].shape[1] < ranks:
                raise ValueError(f"{name} ranks {results[name].shape[1]} tokens, the limits ask for {ranks}")


def warm_prefill(bundle: Bundle, prefill: GraphRunner) -> None:
    """Reads a prompt.

    Raises:
        BundleError: The graph cannot be run, or does not give the states.
    """
    states = bundle.manifest.graphs["step"].state
    given = {f"state_{index}": np.zeros((1, *tensor.shape[1:]), np.float32) for index, tensor in enumerate(states)}
    _run(bundle, "prefill", prefill, {"tokens": _tokens(bundle), **given}, [f"next_{name}" for name in given])


def warm_encoder(bundle: Bundle, encoder: GraphRunner) -> None:
    """Reads a sentence.

    Raises:
        BundleError: The graph cannot be run, or does not give the states and the memory.
    """
    step = bundle.manifest.graphs["step"]
    wanted = [f"next_state_{index}" for index in range(len(step.state))]
    wanted += [f"memory_{index}" for index in range(len(step.memory))]
    _run(bundle, "encoder", encoder, {"tokens": _tokens(bundle), "lengths": _lengths()}, wanted)


def warm_classifier(bundle: Bundle, classifier: GraphRunner) -> None:
    """Reads a text.

    Raises:
        BundleError: The graph cannot be run, or does not give a probability for each class.
    """
    results = _run(
        bundle, "classifier", classifier, {"tokens": _tokens(bundle), "lengths": _lengths()}, ["probabilities"]
    )
    shape = results["probabilities"].shape
    if shape != (1, _CLASSES):
        raise BundleError(bundle.path, f"the graph classifier gives probabilities of shape {list(shape)}, not [1, 2]")


def _run(
    bundle: Bundle, name: str, runner: GraphRunner, inputs: Mapping[str, Array], wanted: Sequence[str]
) -> dict[str, Array]:
    with _told_of(bundle, name):
        results = runner.run(inputs)
        _check(bundle.manifest.graphs[name], results, wanted)
    return results


def _check(graph: Graph, results: Mapping[str, Array], wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in results]
    if missing:
        raise ValueError(f"it does not give {', '.join(missing)}")
    if wrong := deviation(results, graph.outputs):
        raise ValueError(wrong)


@contextmanager
def _told_of(bundle: Bundle, name: str) -> Iterator[None]:
    """Whatever a runtime throws at a first run says that the bundle is not what it claims to be."""
    try:
        yield
    except Exception as error:
        raise BundleError(bundle.path, f"the graph {name} cannot be run: {in_one_line(error)}") from error


def in_one_line(error: Exception) -> str:
    """The first line of what a library says, and what kind of error it calls it."""
    lines = str(error).strip().splitlines()
    return f"{lines[0]} ({type(error).__name__})" if lines else type(error).__name__


def _last_token(bundle: Bundle) -> int:
    return bundle.manifest.tokenizer.vocabulary_size - 1


def _tokens(bundle: Bundle) -> Array:
    return np.full((1, _TOKENS), _last_token(bundle), np.int64)


def _lengths() -> Array:
    return np.full(1, _TOKENS, np.int64)
