"""Holding a step against the plain graph that it was made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ostinato_models.adoption.errors import AdoptionError
from ostinato_models.adoption.onnx_file import Port
from ostinato_models.adoption.plain import PlainModel, States, distance
from ostinato_models.adoption.vocabulary import AdoptedVocabulary, width_hint
from ostinato_models.export.differences import Differences
from ostinato_models.export.execution import Array, GraphRun
from ostinato_models.export.generation_parity import SEED, choose, following, random_settings

ROWS, STEPS = 5, 12


def check_plain(plain: PlainModel, vocabulary: int) -> None:
    """Step a plain model: it must run on a batch, score every token, give the same twice, and use its states.

    Args:
        plain: the model.
        vocabulary: tokens in the vocabulary.

    Raises:
        AdoptionError: it fails, its logits are more or fewer or are probabilities, it draws random numbers, or a
            state has no influence.
    """
    tokens = np.arange(ROWS) % vocabulary
    try:
        logits, _ = plain.step(tokens, plain.zeros(ROWS))
    except AdoptionError as error:
        hint = _hint_on_axes(plain, tokens, vocabulary)
        if plain.ordered and not hint:
            shapes = ", ".join(str(role.taken) for role in plain.roles.states)
            hint = [f"forward was given token ids (int64 [batch, time]) first, then the states: {shapes}"]
        raise AdoptionError(plain.path, [*error.problems, *hint]) from error
    name = plain.roles.logits.name
    if logits.shape != (ROWS, vocabulary):
        problems = [
            f"output {name}: expected scores of {vocabulary} tokens, as the vocabulary has; "
            f"for {ROWS} rows it gave {list(logits.shape)}"
        ]
        if logits.ndim == 2 and logits.shape[0] == ROWS:
            problems.append(width_hint(logits.shape[1], vocabulary))
        raise AdoptionError(plain.path, [*problems, *_hint_on_axes(plain, tokens, vocabulary)])
    if (logits >= 0).all() and np.allclose(logits.sum(axis=-1), 1.0, atol=1e-3):
        problem = f"output {name} holds probabilities; give what comes before the softmax, or log-probabilities"
        raise AdoptionError(plain.path, [problem])
    _check_repeats(plain, tokens)
    _check_influence(plain, tokens)


def compare_with_plain(
    plain: PlainModel, vocabulary: AdoptedVocabulary, step: GraphRun, file: str, differences: Differences
) -> None:
    """Step both from a zero state, each with its own states, on the tokens that the plain graph's logits choose.

    Args:
        plain: the owner's model.
        vocabulary: what can be generated.
        step: runs the step made of it.
        file: the step's file in the bundle.
        differences: where the result goes.

    Raises:
        AdoptionError: the plain model cannot be run.
    """
    random = np.random.default_rng(SEED)
    choices = np.array(vocabulary.choices)
    token = random.integers(0, vocabulary.facts.vocabulary_size, ROWS)
    theirs = plain.zeros(ROWS)
    ours = {f"state_{index}": value for index, value in enumerate(plain.by_rows(theirs))}
    for _ in range(STEPS):
        settings = random_settings(random, ROWS)
        result = step({"token": token, **ours, **settings})
        logits, theirs = plain.step(token, theirs)
        logprobs = torch.from_numpy(logits[:, choices]).double().log_softmax(dim=1)
        chosen = choose(logprobs, **settings)
        differences.add_tokens(file, result["next_token"], choices[chosen])
        ranked = logprobs.sort(dim=1, descending=True, stable=True).values
        differences.add(file, "logprob", result["top_logprobs"], ranked[:, : result["top_logprobs"].shape[1]].numpy())
        ours, token = following(result), choices[chosen]
        for index, value in enumerate(plain.by_rows(theirs)):
            differences.add(file, "state", ours[f"state_{index}"], value)


def _check_repeats(plain: PlainModel, tokens: Array) -> None:
    """The same inputs must give the same bits."""
    states = plain.random(np.random.default_rng(SEED), ROWS)
    first, second = (_all(plain.step(tokens, states)) for _ in range(2))
    difference = max(map(distance, first, second))
    if difference > 0:
        raise AdoptionError(
            plain.path,
            [
                f"gives something else for the same inputs, off by {difference:.2g}; at most 0 is allowed: it draws "
                "random numbers of its own, as dropout does that was left in training mode; "
                "call model.eval() before the export"
            ],
        )


def _check_influence(plain: PlainModel, tokens: Array) -> None:
    """Every state must have a part in what comes out: one that has none is not carried."""
    random = np.random.default_rng(SEED)
    states = plain.random(random, ROWS)
    before = _all(plain.step(tokens, states))
    for index, (role, value) in enumerate(zip(plain.roles.states, plain.random(random, ROWS), strict=True)):
        after = _all(plain.step(tokens, [*states[:index], value, *states[index + 1 :]]))
        if max(map(distance, before, after)) == 0:
            raise AdoptionError(
                plain.path,
                [
                    f"state {role.taken.name} has no influence: with 2 different values of it, logits and new states "
                    "are the same to the bit. The network starts from a state of its own in every call: pass the "
                    "state on, as in self.lstm(x, (h, c)), and export again"
                ],
            )


def _all(result: tuple[Array, States]) -> list[Array]:
    return [result[0], *result[1]]


def _hint_on_axes(plain: PlainModel, tokens: Array, vocabulary: int) -> list[str]:
    """What to do where the model can be stepped with the token's axes exchanged."""
    token = plain.roles.token
    if len(token.shape) != 2:
        return []
    turned = Port(token.name, token.data_type, token.shape[::-1])
    other = replace(plain, roles=replace(plain.roles, token=turned, time_axis=1 - plain.roles.time_axis))
    try:
        logits, _ = other.step(tokens, other.zeros(ROWS))
    except AdoptionError:
        return []
    if logits.shape != (ROWS, vocabulary):
        return []
    first = "time" if plain.roles.time_axis == 1 else "batch"
    remedy = "add --time-first" if first == "time" else "leave out --time-first"
    return [f"with the {first} as the first axis of the tokens it can be stepped: {remedy}"]
