"""Networks as modules with the same inputs and outputs, in the same order, as their ONNX graphs.

Each module is traced for its signature, which may have any number of states; all that depends on a size is in scripted
functions, so that no batch, length or device is baked in.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ostinato_models.export import torch_cells, torch_sampling
from ostinato_models.export.torchscript import script
from ostinato_models.networks import CharLanguageModel, Recurrent, SentimentClassifier, Seq2Seq

COLUMNS = 16
"""A matrix product's columns are filled up to a multiple of this.

Threads share columns out; those that are left over have other last bits, so the bits would depend on the number of
threads (measured with PyTorch 2.13 and its MKL on AVX-512, 1 to 32 threads; multiples of 16 never differed).
"""


class GenerationPrefill(nn.Module):
    """A character language model reading a prompt: tokens, states."""

    def __init__(self, network: CharLanguageModel) -> None:
        super().__init__()
        self.network = network
        self._read = script(torch_cells.read_tokens)

    def read(self, tokens: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Tokens (B, T) to the top hidden state (B, H) and the new state."""
        stack = self.network.recurrent
        weights = [part for layer in range(stack.num_layers) for part in stack.layer_weights(layer)[0]]
        hidden, following = self._read(stack.cell, self.network.embedding.weight, tokens, list(state), weights)
        return hidden, following

    def forward(self, tokens: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Take and give what the prefill's signature declares."""
        return tuple(self.read(tokens, state)[1])


class GenerationStep(GenerationPrefill):
    """A character language model's step: token, states, temperature, top_k, top_p, uniform."""

    output_weight: Tensor
    output_bias: Tensor

    def __init__(self, network: CharLanguageModel, first: int, alternatives: int) -> None:
        super().__init__(network)
        self.first, self.alternatives = first, alternatives
        missing = -network.config.vocabulary_size % COLUMNS
        self.register_buffer("output_weight", nn.functional.pad(network.output.weight.detach(), (0, 0, 0, missing)))
        self.register_buffer("output_bias", nn.functional.pad(network.output.bias.detach(), (0, missing)))
        self._rank = script(torch_sampling.rank)
        self._sample = script(torch_sampling.sample)

    def forward(self, token: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """Take and give what the step's signature declares."""
        *state, temperature, top_k, top_p, uniform = rest
        hidden, following = self.read(token.unsqueeze(1), state)
        size = self.network.config.vocabulary_size
        logits = nn.functional.linear(hidden, self.output_weight, self.output_bias)[:, :size]
        logprobs, tokens = self._rank(logits, self.first, size)
        drawn = self._sample(logprobs, temperature, top_k, top_p, uniform)
        return (
            tokens.gather(1, drawn).squeeze(1),
            logprobs.gather(1, drawn).squeeze(1),
            tokens[:, : self.alternatives],
            logprobs[:, : self.alternatives],
            *following,
        )


class GenerationScore(nn.Module):
    """A character language model scoring a text: tokens, targets, states."""

    def __init__(self, network: CharLanguageModel, first: int) -> None:
        super().__init__()
        self.network, self.first = network, first
        self._score = script(torch_cells.score_tokens)

    def forward(self, tokens: Tensor, targets: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Take and give what the score's signature declares."""
        network, stack = self.network, self.network.recurrent
        weights = [part for layer in range(stack.num_layers) for part in stack.layer_weights(layer)[0]]
        output = network.output.weight[self.first :], network.output.bias[self.first :]
        logprobs, following = self._score(
            stack.cell, network.embedding.weight, tokens, targets - self.first, list(state), weights, *output
        )
        return logprobs, *following


class _Reader(nn.Module):
    """Reads padded texts with a stack; the base of the modules that do."""

    def __init__(self) -> None:
        super().__init__()
        self._read = script(torch_cells.read_masked)

    def read(self, stack: Recurrent, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, list[list[list[Tensor]]]]:
        """Outputs (B, T, D*H), and final states by layer and direction, each (B, H)."""
        final: list[list[list[Tensor]]] = []
        for layer in range(stack.num_layers):
            parts = [
                self._read(stack.cell, inputs, lengths, list(weights), direction == 1)
                for direction, weights in enumerate(stack.layer_weights(layer))
            ]
            inputs = torch.cat([outputs for outputs, _ in parts], dim=2)
            final.append([state for _, state in parts])
        return inputs, final


class Classifier(_Reader):
    """A sentiment classifier: tokens, lengths."""

    def __init__(self, network: SentimentClassifier) -> None:
        super().__init__()
        self.network = network
        self._pool = script(torch_cells.pool)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Probabilities (B, 2)."""
        network = self.network
        outputs, final = self.read(network.recurrent, network.embedding(tokens), lengths)
        if network.config.pooling == "last":
            pooled = torch.cat([state[0] for state in final[-1]], dim=1)
        else:
            pooled = self._pool(outputs, lengths, network.config.pooling == "max")
        return network.output(pooled).softmax(dim=1)  # type: ignore[no-any-return]


class Encoder(_Reader):
    """A translation model reading its source: tokens, lengths."""

    def __init__(self, network: Seq2Seq) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """Take and give what the encoder's signature declares."""
        network = self.network
        values, final = self.read(network.encoder, network.embedding(tokens), lengths)
        start: list[Tensor] = []
        for forward, reverse in final:
            start.append(torch.tanh(network.bridge_hidden(torch.cat([forward[0], reverse[0]], dim=1))))
            start.append(network.bridge_cell(torch.cat([forward[1], reverse[1]], dim=1)))
        if network.attention is None:
            return tuple(start)
        return values, network.attention.keys(values), *start


class TranslationStep(nn.Module):
    """One step of a translation: token, states, memory, lengths."""

    def __init__(self, network: Seq2Seq, first: int, alternatives: int) -> None:
        super().__init__()
        self.network = network
        self.first, self.alternatives = first, alternatives
        self._read = script(torch_cells.read_tokens)
        self._mask = script(torch_cells.source_mask)
        self._rank = script(torch_sampling.rank)

    def forward(self, token: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """Take and give what the step's signature declares."""
        network, stack = self.network, self.network.decoder
        state = rest[: 2 * stack.num_layers]
        weights = [part for layer in range(stack.num_layers) for part in stack.layer_weights(layer)[0]]
        hidden, following = self._read("lstm", network.embedding.weight, token.unsqueeze(1), list(state), weights)
        joint = hidden
        attention: tuple[Tensor, ...] = ()
        if network.attention is not None:
            values, keys, lengths = rest[2 * stack.num_layers :]
            mask = self._mask(lengths, values)
            context, shares = network.attention(hidden.unsqueeze(1), values, mask, keys)
            joint = torch.cat([context.squeeze(1), hidden], dim=1)
            attention = (shares.squeeze(1),)
        combined = torch.tanh(network.combine(joint))
        logits = nn.functional.linear(combined, network.embedding.weight, network.output_bias)
        logprobs, tokens = self._rank(logits, self.first, self.alternatives)
        return tokens[:, 0], logprobs[:, 0], tokens, logprobs, *attention, *following
