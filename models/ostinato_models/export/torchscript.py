"""Networks as TorchScript modules with the same inputs and outputs, in the same order, as their ONNX graphs.

Each module is traced for its signature, which may have any number of states; all that depends on a size is in scripted
functions, so that no batch, length or device is baked in.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ostinato_bundle import Tensor as Declared
from ostinato_models.export import torch_cells, torch_sampling

_DTYPES = {"float32": torch.float32, "int64": torch.int64}
EXAMPLE_BATCH, EXAMPLE_LENGTH = 2, 3


def script(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of the TorchScript subset."""
    with warnings.catch_warnings():
        # TorchScript is deprecated upstream; a bundle offers it as one format of several.
        warnings.simplefilter("ignore", DeprecationWarning)
        compiled: Callable[..., Any] = torch.jit.script(function)
    return compiled


def trace(module: nn.Module, inputs: Sequence[Declared]) -> torch.jit.ScriptModule:
    """Record a module whose forward takes the declared inputs."""
    example = tuple(_example(tensor) for tensor in inputs)
    module.eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(module, example, check_trace=False)  # type: ignore[no-untyped-call]
    assert isinstance(traced, torch.jit.ScriptModule)  # noqa: S101 (for the type checker)
    return traced


def _example(tensor: Declared) -> Tensor:
    """Ones: a valid token, length, probability, temperature and state alike."""
    sizes = [EXAMPLE_BATCH, *(EXAMPLE_LENGTH if size < 0 else size for size in tensor.shape[1:])]
    return torch.ones(sizes, dtype=_DTYPES[tensor.data_type])


class GenerationStep(nn.Module):
    """A character language model's step: token, states, temperature, top_k, top_p, uniform."""

    def __init__(
        self, cell: str, embedding: Tensor, layers: Sequence[Tensor], output: nn.Linear, first: int, alternatives: int
    ) -> None:
        super().__init__()
        self.cell, self.first, self.alternatives = cell, first, alternatives
        self.embedding = nn.Parameter(embedding, requires_grad=False)
        self.layers = nn.ParameterList([nn.Parameter(part, requires_grad=False) for part in layers])
        self.weight = nn.Parameter(output.weight[first:].detach().clone(), requires_grad=False)
        self.bias = nn.Parameter(output.bias[first:].detach().clone(), requires_grad=False)
        self._read = script(torch_cells.read_tokens)
        self._rank = script(torch_sampling.rank)
        self._sample = script(torch_sampling.sample)

    def forward(self, token: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """Take and give what the step's signature declares."""
        *state, temperature, top_k, top_p, uniform = rest
        hidden, following = self._read(self.cell, self.embedding, token.unsqueeze(1), state, list(self.layers))
        logits = nn.functional.linear(hidden, self.weight, self.bias)
        logprobs, tokens = self._rank(logits, self.first)
        drawn = self._sample(logprobs, temperature, top_k, top_p, uniform)
        return (
            tokens.gather(1, drawn).squeeze(1),
            logprobs.gather(1, drawn).squeeze(1),
            tokens[:, : self.alternatives],
            logprobs[:, : self.alternatives],
            *following,
        )


class GenerationPrefill(nn.Module):
    """A character language model reading a prompt: tokens, states."""

    def __init__(self, cell: str, embedding: Tensor, layers: Sequence[Tensor]) -> None:
        super().__init__()
        self.cell = cell
        self.embedding = nn.Parameter(embedding, requires_grad=False)
        self.layers = nn.ParameterList([nn.Parameter(part, requires_grad=False) for part in layers])
        self._read = script(torch_cells.read_tokens)

    def forward(self, tokens: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Take and give what the prefill's signature declares."""
        _, following = self._read(self.cell, self.embedding, tokens, list(state), list(self.layers))
        return tuple(following)


def save_trace(module: nn.Module, inputs: Sequence[Declared], path: Path) -> None:
    """Record a module and write it."""
    traced = trace(module, inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced.save(str(path))
