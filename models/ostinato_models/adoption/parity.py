"""Holding a step against the plain graph that it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from ostinato_models.adoption.errors import AdoptionError, reason
from ostinato_models.adoption.roles import Roles
from ostinato_models.adoption.vocabulary import AdoptedVocabulary
from ostinato_models.export.differences import Differences
from ostinato_models.export.execution import Array, GraphRun
from ostinato_models.export.generation_parity import SEED, choose, following, random_settings

ROWS, STEPS = 5, 12


def check_plain(path: Path, plain: GraphRun, roles: Roles, vocabulary: int) -> None:
    """Step a plain model once: it must run on a batch, and score every token of the vocabulary.

    Args:
        path: its file, for the error.
        plain: runs it.
        roles: which of its tensors is which.
        vocabulary: tokens in the vocabulary.

    Raises:
        AdoptionError: it fails, its logits are more or fewer, or are probabilities.
    """
    logits, _ = _run_plain(path, plain, roles, np.arange(ROWS) % vocabulary, _zeros(roles))
    name = roles.logits.name
    if logits.shape != (ROWS, vocabulary):
        found = f"for {ROWS} rows it gave {list(logits.shape)}"
        raise AdoptionError(
            path, [f"output {name}: expected scores of {vocabulary} tokens, as the vocabulary has; {found}"]
        )
    if (logits >= 0).all() and np.allclose(logits.sum(axis=-1), 1.0, atol=1e-3):
        problem = f"output {name} holds probabilities; give what comes before the softmax, or log-probabilities"
        raise AdoptionError(path, [problem])


def compare_with_plain(
    path: Path,
    plain: GraphRun,
    roles: Roles,
    vocabulary: AdoptedVocabulary,
    step: GraphRun,
    file: str,
    differences: Differences,
) -> None:
    """Step both from a zero state, each with its own states, on the tokens that the plain graph's logits choose.

    Args:
        path: the plain model's file, for the error.
        plain: runs it.
        roles: which of its tensors is which.
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
    theirs = _zeros(roles)
    ours = {f"state_{index}": np.zeros((ROWS, *role.sizes), np.float32) for index, role in enumerate(roles.states)}
    for _ in range(STEPS):
        settings = random_settings(random, ROWS)
        result = step({"token": token, **ours, **settings})
        logits, theirs = _run_plain(path, plain, roles, token, theirs)
        logprobs = torch.from_numpy(logits[:, choices]).double().log_softmax(dim=1)
        chosen = choose(logprobs, **settings)
        differences.add_tokens(file, result["next_token"], choices[chosen])
        ranked = logprobs.sort(dim=1, descending=True, stable=True).values
        differences.add(file, "logprob", result["top_logprobs"], ranked[:, : result["top_logprobs"].shape[1]].numpy())
        ours, token = following(result), choices[chosen]
        for index, (role, value) in enumerate(zip(roles.states, theirs, strict=True)):
            differences.add(file, "state", ours[f"state_{index}"], np.moveaxis(value, role.batch_axis, 0))


def _zeros(roles: Roles) -> list[Array]:
    """The states of `ROWS` rows at the start, in the plain model's layout."""
    return [
        np.zeros((*role.sizes[: role.batch_axis], ROWS, *role.sizes[role.batch_axis :]), np.float32)
        for role in roles.states
    ]


def _run_plain(
    path: Path, plain: GraphRun, roles: Roles, token: Array, states: list[Array]
) -> tuple[Array, list[Array]]:
    """One step of the plain model: logits (B, V), and its states in its own layout."""
    tokens = (token if len(roles.token.shape) == 1 else np.expand_dims(token, roles.time_axis)).astype(
        roles.token.data_type
    )
    taken = {role.taken.name: value for role, value in zip(roles.states, states, strict=True)}
    try:
        result: Mapping[str, Array] = plain({roles.token.name: tokens, **taken})
    except Exception as error:  # ONNX Runtime has an exception class for each status, without a common base
        raise AdoptionError(path, [f"cannot step a batch of {ROWS} rows: {reason(error)}"]) from error
    logits = result[roles.logits.name]
    logits = np.take(logits, -1, axis=roles.time_axis) if logits.ndim == 3 else logits
    return logits, [result[role.given.name] for role in roles.states]
