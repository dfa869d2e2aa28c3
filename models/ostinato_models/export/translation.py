"""The encoder-decoder's graphs: the source read once, and one step of the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx
from torch import nn

from ostinato_bundle import Limits, Tensor
from ostinato_models.export.attention import attend, attention_keys
from ostinato_models.export.cells import stack_step
from ostinato_models.export.encoder import read_texts
from ostinato_models.export.graph_builder import GraphBuilder, Name, Precision
from ostinato_models.export.sampling import Vocabulary, rank
from ostinato_models.export.signatures import Signature, batch, state_tensors
from ostinato_models.export.torch_modules import Encoder, TranslationStep
from ostinato_models.export.weights import Weights, cell_weights
from ostinato_models.networks import Seq2Seq, Seq2SeqConfig

ALTERNATIVES = 16
"""Candidates that a step reports for each hypothesis: twice the widest beam, so that ended ones can be set aside."""

MAX_TEXT_CHARACTERS = 10_000
MAX_SOURCE_TOKENS, MAX_TARGET_TOKENS = 96, 192
"""Of a sentence."""

TARGET_TOKENS_PER_SOURCE_TOKEN, TARGET_TOKENS_EXTRA = 2.0, 10
"""A longer translation repeats itself: no reference of the Tatoeba test set has more tokens."""


@dataclass(frozen=True, slots=True)
class TranslationGraphs:
    """Writes the graphs of an encoder-decoder.

    Attributes:
        config: the network's sizes.
        weights: its parameters.
        vocabulary: what it may generate.
        network: the same network in PyTorch.
    """

    config: Seq2SeqConfig
    weights: Weights
    vocabulary: Vocabulary
    network: Seq2Seq

    served = ("encoder", "step")

    @property
    def alternatives(self) -> int:
        """How many candidates a step reports, A."""
        return min(ALTERNATIVES, self.vocabulary.choices)

    @property
    def limits(self) -> Limits:
        """What requests must keep to."""
        return Limits(
            max_text_characters=MAX_TEXT_CHARACTERS,
            max_input_tokens=MAX_SOURCE_TOKENS,
            max_new_tokens=MAX_TARGET_TOKENS,
            max_beam_size=self.alternatives // 2,
            max_alternatives=self.alternatives,
            new_tokens_per_input_token=TARGET_TOKENS_PER_SOURCE_TOKEN,
            new_tokens_extra=TARGET_TOKENS_EXTRA,
        )

    def signatures(self) -> dict[str, Signature]:
        """What every graph takes and gives; a model without attention has neither memory nor attention."""
        states, following = state_tensors([self.config.decoder_size] * (2 * self.config.num_layers))
        memory = self._memory()
        attention = (batch("attention", "float32", -1),) if memory else ()
        return {
            "encoder": Signature((batch("tokens", "int64", -1), batch("lengths", "int64")), (*memory, *following)),
            "step": Signature(
                (batch("token", "int64"), *states, *memory, batch("lengths", "int64")),
                (
                    batch("next_token", "int64"),
                    batch("logprob"),
                    batch("top_tokens", "int64", self.alternatives),
                    batch("top_logprobs", "float32", self.alternatives),
                    *attention,
                    *following,
                ),
            ),
        }

    def onnx(self, name: str, precision: Precision) -> onnx.ModelProto:
        """Write the graph called ``encoder`` or ``step``."""
        graph = GraphBuilder(precision)
        signature = self.signatures()[name]
        if name == "encoder":
            self._encoder(graph)
            description = "Reads the source: what the decoder attends to, and the state that it starts from."
        else:
            self._step(graph, [tensor.name for tensor in signature.inputs if tensor.name.startswith("state_")])
            description = "One step of the target: the most probable next tokens and the attention over the source."
        return graph.build(name, description, signature.inputs, signature.outputs)

    def torch(self, name: str) -> nn.Module:
        """Make the module of the graph called ``encoder`` or ``step``."""
        if name == "encoder":
            return Encoder(self.network)
        return TranslationStep(self.network, self.vocabulary.first, self.alternatives)

    def _memory(self) -> tuple[Tensor, ...]:
        values = 2 * self.config.encoder_size
        match self.config.attention:
            case None:
                return ()
            case "dot":
                keys = values
            case "general":
                keys = self.config.decoder_size
            case "additive":
                keys = len(self.weights["attention.memory.weight"])
        return batch("memory_0", "float32", -1, values), batch("memory_1", "float32", -1, keys)

    def _encoder(self, graph: GraphBuilder) -> None:
        layers = [
            [cell_weights(self.weights, "encoder.", "lstm", layer, reverse=reverse) for reverse in (False, True)]
            for layer in range(self.config.num_layers)
        ]
        reading = read_texts(graph, self.weights["embedding.weight"], layers)
        if self.config.attention is not None:
            width = 2 * self.config.encoder_size
            keys = attention_keys(graph, self.config.attention, reading.outputs, self.weights, width)
            for index, value in enumerate((reading.outputs, keys)):
                graph.rename(graph.op("Transpose", value, perm=[1, 0, 2]), f"memory_{index}")
        for layer, (forward, reverse) in enumerate(reading.final):
            hidden, cell = (graph.op("Concat", *pair, axis=1) for pair in zip(forward, reverse, strict=True))
            start = graph.linear(
                graph.bounded(hidden), self.weights["bridge_hidden.weight"], self.weights["bridge_hidden.bias"]
            )
            graph.rename(graph.op("Tanh", start), f"next_state_{2 * layer}")
            # A cell state has no bound that a static scale could rely on.
            start = graph.float_linear(cell, self.weights["bridge_cell.weight"], self.weights["bridge_cell.bias"])
            graph.rename(start, f"next_state_{2 * layer + 1}")

    def _step(self, graph: GraphBuilder, state: Sequence[Name]) -> None:
        table, first = self.weights["embedding.weight"], self.vocabulary.first
        layers = [cell_weights(self.weights, "decoder.", "lstm", layer) for layer in range(self.config.num_layers)]
        following = stack_step(graph, "token", state, table, layers)
        joint = following[-2]
        if self.config.attention is not None:
            context, shares = attend(graph, self.config.attention, joint, self.weights)
            graph.rename(shares, "attention")
            joint = graph.op("Concat", context, joint, axis=1)
        combined = graph.linear(graph.bounded(joint), self.weights["combine.weight"], self.weights["combine.bias"])
        attentional = graph.bounded(graph.op("Tanh", combined))
        logits = graph.linear(attentional, table[first:], self.weights["output_bias"][first:])
        logprobs, tokens = rank(graph, logits, self.alternatives, first)
        for name, values in (("next_token", tokens), ("logprob", logprobs)):
            best = graph.op("Slice", values, graph.integers(0), graph.integers(1), graph.integers(1))
            graph.rename(graph.op("Squeeze", best, graph.integers(1)), name)
        graph.rename(tokens, "top_tokens")
        graph.rename(logprobs, "top_logprobs")
        for index, name in enumerate(following):
            graph.rename(name, f"next_state_{index}")
