"""Holding a step against the plain graph that it was made of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ostinato_models.adoption.errors import AdoptionError
from ostinato_models.adoption.onnx_file import OnnxFile, first_line
from ostinato_models.adoption.roles import Roles
from ostinato_models.adoption.vocabulary import AdoptedVocabulary
from ostinato_models.export.differences import Differences
from ostinato_models.export.execution import Array, GraphRun
from ostinato_models.export.generation_parity import SEED, choose, following, random_settings

ROWS, STEPS = 5, 12


def compare_with_plain(
    file: OnnxFile,
    plain: GraphRun,
    roles: Roles,
    vocabulary: AdoptedVocabulary,
    step: GraphRun,
    differences: Differences,
) -> None:
    """Step both from a zero state, each with its own states, on the tokens that the plain graph's logits choose.

    Args:
        file: the plain model.
        plain: runs it.
        roles: which of its tensors is which.
        vocabulary: what can be generated.
        step: runs the step made of it.
        differences: where the result goes.

    Raises:
        AdoptionError: the plain model cannot be run, or what is called its logits are probabilities.
    """
    random = np.random.default_rng(SEED)
    choices = np.array(vocabulary.choices)
    token = random.integers(0, vocabulary.facts.vocabulary_size, ROWS)
    theirs = [np.zeros(_plain_shape(role.sizes, role.batch_axis), np.float32) for role in roles.states]
    ours = {f"state_{index}": np.zeros((ROWS, *role.sizes), np.float32) for index, role in enumerate(roles.states)}
    for _ in range(STEPS):
        settings = random_settings(random, ROWS)
        result = step({"token": token, **ours, **settings})
        logits, theirs = _run_plain(file, plain, roles, token, theirs)
        logprobs = torch.from_numpy(logits[:, choices]).double().log_softmax(dim=1)
        chosen = choose(logprobs, **settings)
        differences.add_tokens("step.onnx", result["next_token"], choices[chosen])
        ranked = logprobs.sort(dim=1, descending=True, stable=True).values
        differences.add(
            "step.onnx", "logprob", result["top_logprobs"], ranked[:, : result["top_logprobs"].shape[1]].numpy()
        )
        ours, token = following(result), choices[chosen]
        for index, (role, value) in enumerate(zip(roles.states, theirs, strict=True)):
            differences.add("step.onnx", "state", ours[f"state_{index}"], np.moveaxis(value, role.batch_axis, 0))


def _plain_shape(sizes: tuple[int, ...], batch_axis: int) -> tuple[int, ...]:
    return (*sizes[:batch_axis], ROWS, *sizes[batch_axis:])


def _run_plain(
    file: OnnxFile, plain: GraphRun, roles: Roles, token: Array, states: list[Array]
) -> tuple[Array, list[Array]]:
    """One step of the plain model: logits (B, V), and its states in its own layout."""
    tokens = (token if len(roles.token.shape) == 1 else token[:, None]).astype(roles.token.data_type)
    taken = {role.taken.name: value for role, value in zip(roles.states, states, strict=True)}
    try:
        result: Mapping[str, Array] = plain({roles.token.name: tokens, **taken})
    except Exception as error:  # ONNX Runtime has an exception class for each status, without a common base
        raise AdoptionError(file.path, [f"cannot step a batch of {ROWS} rows: {first_line(error)}"]) from error
    logits = result[roles.logits.name]
    logits = logits[:, -1] if logits.ndim == 3 else logits
    if (logits >= 0).all() and np.allclose(logits.sum(axis=-1), 1.0, atol=1e-3):
        problem = f"output {roles.logits} holds probabilities; give what comes before the softmax, or log-probabilities"
        raise AdoptionError(file.path, [problem])
    return logits, [result[role.given.name] for role in roles.states]
