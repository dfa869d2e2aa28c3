"""Running a step before it is served: shapes hold in every batch, rows do not see each other, nothing is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ostinato_models.adoption.errors import AdoptionError, reason
from ostinato_models.export.execution import Array, Arrays, GraphRun
from ostinato_models.export.generation_parity import following, random_settings
from ostinato_models.export.signatures import Signature

ROWS = 65
"""One more than the server's default `--max-concurrency`: kernels change with the batch size."""

BATCHES = (2, 3, 5, 8, 17, 33, 64, 65)
ROLLOUT = 6
"""Steps from a zero state before rows are compared, so that the states are ones that occur."""

ROUNDING = 1e-4
"""Differences up to this, relative to values above 1, come from another order of summation; larger ones do not."""

MOST_TOKENS = 0.9
"""Rows that must choose the same token where states agree to rounding: a draw may lie at the boundary of two."""

CHUNKS = ((1,), (7,), (40,), (5, 1, 16))
"""Prompts, by the lengths of the pieces they are read in."""

SEED = 20_180_423


def try_step(path: Path, run: GraphRun, signature: Signature, vocabulary: int) -> float:
    """Step random tokens from a zero state, alone and in batches.

    Args:
        path: the model's file, for the error.
        run: the step.
        signature: what it takes and gives.
        vocabulary: tokens in the vocabulary.

    Returns:
        The largest difference between a row alone and the same row in a batch; 0 when every bit is the same.

    Raises:
        AdoptionError: the step fails, gives other shapes or types than it declares, no log-probabilities or no tokens,
            lets rows see each other, gives something else for the same inputs, or is not greedy at temperature 0.
    """
    random = np.random.default_rng(SEED)
    states = {t.name: np.zeros((ROWS, *t.shape[1:]), np.float32) for t in signature.inputs if "state" in t.name}
    inputs: dict[str, Array] = {}
    result: dict[str, Array] = {}
    for _ in range(ROLLOUT):
        inputs = {"token": random.integers(0, vocabulary, ROWS), **states, **random_settings(random, ROWS)}
        result = _run(path, run, inputs, signature)
        _check_choice(path, result, vocabulary)
        states = following(result)
    if _distance(result, _run(path, run, inputs, signature)) > 0:
        raise AdoptionError(path, ["gives something else for the same inputs: it draws random numbers of its own"])
    greedy = inputs | {"temperature": np.zeros(ROWS, np.float32)}
    chosen = [
        _run(path, run, greedy | {"uniform": np.full(ROWS, value, np.float32)}, signature)["next_token"]
        for value in (0.0, 0.99)
    ]
    if not np.array_equal(chosen[0], chosen[1]):
        raise AdoptionError(path, ["at temperature 0 the next token depends on uniform; it must be the most probable"])
    return _compare_rows(path, run, inputs, signature)


def try_prefill(path: Path, step: GraphRun, prefill: GraphRun, signature: Signature, vocabulary: int) -> float:
    """Read prompts in one call and in steps; the largest difference between the states, 0 when every bit is the same.

    Args:
        path: the model's file, for the error.
        step: the step.
        prefill: the graph that reads many tokens.
        signature: the prefill's.
        vocabulary: tokens in the vocabulary.

    Raises:
        AdoptionError: the graph fails, or gives other shapes than it declares.
    """
    random = np.random.default_rng(SEED)
    start = {t.name: np.zeros((1, *t.shape[1:]), np.float32) for t in signature.inputs if "state" in t.name}
    largest = 0.0
    for chunks in CHUNKS:
        stepped, read = start, start
        for length in chunks:
            tokens = random.integers(0, vocabulary, (1, length))
            read = following(_run(path, prefill, {"tokens": tokens, **read}, signature))
            for time in range(length):
                stepped = following(step({"token": tokens[:, time], **stepped, **random_settings(random, 1)}))
        largest = max(largest, _distance(read, stepped))
    return largest


def _run(path: Path, run: GraphRun, inputs: Arrays, signature: Signature) -> dict[str, Array]:
    rows = next(iter(inputs.values())).shape[0]
    try:
        result = run(inputs)
    except Exception as error:  # ONNX Runtime has an exception class for each status, without a common base
        raise AdoptionError(path, [f"fails on a batch of {rows}: {reason(error)}"]) from error
    for tensor in signature.outputs:
        expected, found = (rows, *tensor.shape[1:]), result[tensor.name]
        if found.shape != expected or found.dtype.name != tensor.data_type:
            raise AdoptionError(
                path,
                [
                    f"output {tensor.name}: expected {tensor.data_type} {list(expected)} for a batch of {rows}, "
                    f"found {found.dtype.name} {list(found.shape)}"
                ],
            )
    return result


def _check_choice(path: Path, result: Mapping[str, Array], vocabulary: int) -> None:
    token, logprob = result["next_token"], result["logprob"]
    if token.min() < 0 or token.max() >= vocabulary:
        wrong = token[(token < 0) | (token >= vocabulary)][0]
        raise AdoptionError(path, [f"output next_token: chose {wrong}; the vocabulary has {vocabulary} tokens"])
    if not (logprob <= 1e-6).all():
        wrong = logprob[~(logprob <= 1e-6)][0]
        raise AdoptionError(path, [f"output logprob: gave {wrong}; a log-probability is 0 or less"])
    for name, value in result.items():
        if np.isnan(value).any():
            raise AdoptionError(path, [f"output {name}: gave a NaN after at most {ROLLOUT} steps from a zero state"])


def _compare_rows(path: Path, run: GraphRun, inputs: Arrays, signature: Signature) -> float:
    """The largest difference between rows alone and in batches."""
    single = [_run(path, run, _rows(inputs, row, row + 1), signature) for row in range(ROWS)]
    alone = {name: np.concatenate([result[name] for result in single]) for name in single[0]}
    largest = 0.0
    for count in BATCHES:
        together = _run(path, run, _rows(inputs, 0, count), signature)
        same = together["next_token"] == alone["next_token"][:count]
        for name in (tensor.name for tensor in signature.outputs if tensor.data_type == "float32"):
            ours, theirs = together[name], alone[name][:count]
            if name == "logprob":  # of another token, where rounding has moved a boundary between two
                ours, theirs = ours[same], theirs[same]
            difference = _distance({name: ours}, {name: theirs})
            if difference > ROUNDING:
                raise AdoptionError(path, [_leak(name, f"off by {difference:.3g}", count)])
            largest = max(largest, difference)
        if not same.all() and (largest == 0 or same.mean() < MOST_TOKENS):
            raise AdoptionError(path, [_leak("next_token", f"another in {np.sum(~same)} rows", count)])
    return largest


def _leak(name: str, how: str, count: int) -> str:
    return f"rows see each other: output {name} of the same row is {how} between a batch of 1 and a batch of {count}"


def _rows(inputs: Arrays, start: int, stop: int) -> dict[str, Array]:
    return {name: value[start:stop] for name, value in inputs.items()}


def _distance(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> float:
    """The largest difference of floats, relative to values above 1."""
    largest = 0.0
    for name, value in theirs.items():
        if value.dtype.kind == "f" and value.size:
            scale = np.maximum(1.0, np.abs(value))
            largest = max(largest, float((np.abs(ours[name] - value) / scale).max()))
    return largest
