"""Whole texts, padded among others: classifier and translator artifacts against eager PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from ostinato_models.export.differences import Differences
from ostinato_models.export.execution import Array, GraphRun
from ostinato_models.export.generation_parity import SEED, compare_states, following
from ostinato_models.export.sampling import Vocabulary
from ostinato_models.networks import Memory, SentimentClassifier, Seq2Seq

CASES = ((1, 1), (1, 9), (3, 4), (18, 30))
"""Rows and length of the longest."""

TARGET_TOKENS = 12


def compare_classifier(network: SentimentClassifier, run: GraphRun, file: Path, differences: Differences) -> None:
    """Classify random texts.

    Args:
        network: eager PyTorch.
        run: the artifact's ``classifier``.
        file: its file.
        differences: where the result goes.
    """
    random = np.random.default_rng(SEED)
    for rows, longest in CASES:
        tokens, lengths = _texts(random, rows, longest, network.config.vocabulary_size)
        with torch.inference_mode():
            expected = network(torch.from_numpy(tokens), torch.from_numpy(lengths)).softmax(dim=1)
        result = run({"tokens": tokens, "lengths": lengths})
        differences.add(file.name, "probability", result["probabilities"], expected.numpy())


def compare_translation(
    network: Seq2Seq,
    vocabulary: Vocabulary,
    runs: Mapping[str, GraphRun],
    files: Mapping[str, Path],
    differences: Differences,
) -> None:
    """Read random sources and follow PyTorch's greedy translation of them.

    Args:
        network: eager PyTorch.
        vocabulary: what it may generate.
        runs: the artifact's ``encoder`` and ``step``.
        files: their files.
        differences: where the result goes.
    """
    encoder, step = files["encoder"].name, files["step"].name
    random = np.random.default_rng(SEED)
    for rows, longest in CASES:
        tokens, lengths = _texts(random, rows, longest, vocabulary.size)
        with torch.inference_mode():
            memory, state = network.encode(torch.from_numpy(tokens), torch.from_numpy(lengths))
        encoded = runs["encoder"]({"tokens": tokens, "lengths": lengths})
        constants: dict[str, Array] = {"lengths": lengths}
        if network.attention is not None:
            for name, expected in (("memory_0", memory.values), ("memory_1", memory.keys)):
                differences.add(encoder, "memory", encoded[name], expected.numpy())
                constants[name] = encoded[name]
        ours = following(encoded)
        compare_states(differences, encoder, ours, state)
        token = np.full(rows, vocabulary.first - 1)
        for _ in range(TARGET_TOKENS):
            result = runs["step"]({"token": token, **ours, **constants})
            logprobs, attention, state = _decode(network, vocabulary, token, memory, state)
            ranked, order = torch.from_numpy(logprobs).sort(dim=1, descending=True, stable=True)
            count = result["top_logprobs"].shape[1]
            differences.add(step, "logprob", result["top_logprobs"], ranked[:, :count].numpy())
            differences.add(step, "logprob", result["logprob"], ranked[:, 0].numpy())
            if attention is not None:
                differences.add(step, "attention", result["attention"], attention)
            ours, token = following(result), order[:, 0].numpy() + vocabulary.first
            differences.add_tokens(step, result["next_token"], token)
            compare_states(differences, step, ours, state)


@torch.inference_mode()
def _decode(
    network: Seq2Seq, vocabulary: Vocabulary, token: Array, memory: Memory, state: tuple[torch.Tensor, ...]
) -> tuple[Array, Array | None, tuple[torch.Tensor, ...]]:
    """One step in PyTorch: log-probabilities of what can be generated, attention, state."""
    logits, weights, state = network.decode(torch.from_numpy(token).unsqueeze(1), memory, state)
    logprobs = logits[:, 0, vocabulary.first :].double().log_softmax(dim=1)
    return logprobs.numpy(), None if weights is None else weights[:, 0].numpy(), state


def _texts(random: np.random.Generator, rows: int, longest: int, vocabulary: int) -> tuple[Array, Array]:
    """Random tokens (B, T), also where padding would be, and lengths (B,), one of them T."""
    lengths = random.integers(1, longest + 1, rows)
    lengths[rows // 2] = longest
    return random.integers(0, vocabulary, (rows, longest)), lengths
