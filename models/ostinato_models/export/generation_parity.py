"""Rollouts of a character language model: the artifact against eager PyTorch, each with its own state."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ostinato_models.export.differences import Differences
from ostinato_models.export.execution import Array, GraphRun
from ostinato_models.export.sampling import Vocabulary
from ostinato_models.networks import CharLanguageModel

CASES = ((1, 5, 24), (3, 1, 16), (17, 12, 8))
"""Rows, characters of prompt and characters of continuation."""

SEED = 20_180_423


def compare_generation(
    network: CharLanguageModel,
    vocabulary: Vocabulary,
    runs: Mapping[str, GraphRun],
    files: Mapping[str, Path],
    differences: Differences,
) -> None:
    """Read prompts and continue them, greedily and sampled, with characters that PyTorch chose.

    Args:
        network: eager PyTorch.
        vocabulary: what it may generate.
        runs: the artifact's ``step`` and ``prefill``.
        files: their files.
        differences: where the result goes.
    """
    step, prefill = files["step"].name, files["prefill"].name
    random = np.random.default_rng(SEED)
    for rows, prompt, continuation in CASES:
        tokens = random.integers(0, vocabulary.size, (rows, prompt))
        token = random.integers(0, vocabulary.size, rows)
        state = network.recurrent.initial_state(rows)
        zero = {f"state_{index}": part for index, part in enumerate(by_layer(state))}
        with torch.inference_mode():
            _, state = network(torch.from_numpy(tokens), state)
        ours = following(runs["prefill"]({"tokens": tokens, **zero}))
        compare_states(differences, prefill, ours, state)
        for _ in range(continuation):
            settings = random_settings(random, rows)
            result = runs["step"]({"token": token, **ours, **settings})
            with torch.inference_mode():
                logits, state = network(torch.from_numpy(token).unsqueeze(1), state)
            logprobs = logits[:, 0, vocabulary.first :].double().log_softmax(dim=1)
            chosen = choose(logprobs, **settings)
            differences.add_tokens(step, result["next_token"] - vocabulary.first, chosen)
            count = result["top_logprobs"].shape[1]
            ranked = logprobs.sort(dim=1, descending=True, stable=True).values[:, :count]
            differences.add(step, "logprob", result["top_logprobs"], ranked.numpy())
            same = result["next_token"] - vocabulary.first == chosen
            given = np.take_along_axis(logprobs.numpy(), chosen[:, None], axis=1)[:, 0]
            differences.add(step, "logprob", result["logprob"][same], given[same])
            ours, token = following(result), chosen + vocabulary.first
            compare_states(differences, step, ours, state)


def choose(logprobs: Tensor, temperature: Array, top_k: Array, top_p: Array, uniform: Array) -> Array:
    """The sampling rule in plain words, row by row, in float64: what graphs are held against."""
    chosen = []
    for row, values in enumerate(logprobs.numpy()):
        order = np.argsort(-values, kind="stable")
        if temperature[row] == 0:
            chosen.append(order[0])
            continue
        weights = np.exp((values[order] - values[order[0]]) / temperature[row])
        mass = np.cumsum(weights / weights.sum())
        before = np.concatenate([[0.0], mass[:-1]])
        ranks = np.arange(len(order))
        kept = (before < top_p[row]) & ((top_k[row] == 0) | (ranks < top_k[row]))
        last = int(kept.sum()) - 1
        chosen.append(order[min(int((mass <= uniform[row] * mass[last]).sum()), last)])
    return np.array(chosen)


def by_layer(state: tuple[Tensor, ...]) -> list[Array]:
    """PyTorch's state, each tensor (B, L, H), as a bundle orders it: layer by layer, each (B, H)."""
    return [part[:, layer].contiguous().numpy() for layer in range(state[0].shape[1]) for part in state]


def random_settings(random: np.random.Generator, rows: int) -> dict[str, Array]:
    """A third of the rows greedy, the others with and without top-k and top-p."""
    return {
        "temperature": random.choice([0.0, 0.7, 1.3], rows).astype(np.float32),
        "top_k": random.choice([0, 3], rows),
        "top_p": random.choice([0.8, 1.0], rows).astype(np.float32),
        "uniform": random.random(rows, dtype=np.float32),
    }


def following(result: Mapping[str, Array]) -> dict[str, Array]:
    """The states that a step gave, as the next one takes them."""
    return {name.removeprefix("next_"): value for name, value in result.items() if name.startswith("next_state_")}


def compare_states(differences: Differences, file: str, ours: Mapping[str, Array], theirs: tuple[Tensor, ...]) -> None:
    """Note how far states by name, each (B, H), are from PyTorch's, each (B, L, H)."""
    for index, part in enumerate(by_layer(theirs)):
        differences.add(file, "state", ours[f"state_{index}"], part)
