"""The character language model's graphs: one step with sampling, and a prompt read in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto
from torch import nn

from ostinato_bundle import Limits
from ostinato_models.export.cells import cell_step, project_tokens, stack_step
from ostinato_models.export.graph_builder import GraphBuilder, Name, Precision
from ostinato_models.export.quantization import FloatArray
from ostinato_models.export.sampling import ALTERNATIVES, Vocabulary, give_choice, rank
from ostinato_models.export.signatures import Signature, batch, state_tensors
from ostinato_models.export.torch_modules import GenerationPrefill, GenerationScore, GenerationStep
from ostinato_models.export.weights import CellWeights, Weights, cell_weights
from ostinato_models.networks import CharLanguageModel, CharLanguageModelConfig


@dataclass(frozen=True, slots=True)
class GenerationGraphs:
    """Writes the graphs of a character language model.

    Attributes:
        config: the network's sizes.
        weights: its parameters.
        vocabulary: what it may generate.
        network: the same network in PyTorch.
    """

    config: CharLanguageModelConfig
    weights: Weights
    vocabulary: Vocabulary
    network: CharLanguageModel

    served = ("step", "prefill")

    @property
    def limits(self) -> Limits:
        """What requests must keep to."""
        return Limits(max_text_characters=4096, max_input_tokens=4096, max_alternatives=self.alternatives)

    @property
    def alternatives(self) -> int:
        """How many alternatives a step reports, A."""
        return min(ALTERNATIVES, self.vocabulary.choices)

    def signatures(self) -> dict[str, Signature]:
        """What every graph takes and gives."""
        sizes = [self.config.hidden_size] * (self.config.num_layers * self._layers()[0].states)
        states, following = state_tensors(sizes)
        return {
            "step": Signature(
                (
                    batch("token", "int64"),
                    *states,
                    batch("temperature"),
                    batch("top_k", "int64"),
                    batch("top_p"),
                    batch("uniform"),
                ),
                (
                    batch("next_token", "int64"),
                    batch("logprob"),
                    batch("top_tokens", "int64", self.alternatives),
                    batch("top_logprobs", "float32", self.alternatives),
                    *following,
                ),
            ),
            "prefill": Signature((batch("tokens", "int64", -1), *states), following),
            "score": Signature(
                (batch("tokens", "int64", -1), batch("targets", "int64", -1), *states),
                (batch("logprobs", "float32", -1), *following),
            ),
        }

    def onnx(self, name: str, precision: Precision) -> onnx.ModelProto:
        """Write the graph called ``step``, ``prefill`` or ``score``."""
        graph = GraphBuilder(precision)
        signature = self.signatures()[name]
        state = [tensor.name for tensor in signature.inputs if tensor.name.startswith("state_")]
        write = {"step": self._step, "prefill": self._prefill, "score": self._score}[name]
        description = write(graph, state)
        return graph.build(name, description, signature.inputs, signature.outputs)

    def torch(self, name: str) -> nn.Module:
        """Make the module of the graph called ``step``, ``prefill`` or ``score``."""
        if name == "prefill":
            return GenerationPrefill(self.network)
        if name == "score":
            return GenerationScore(self.network, self.vocabulary.first)
        return GenerationStep(self.network, self.vocabulary.first, self.alternatives)

    def _step(self, graph: GraphBuilder, state: Sequence[Name]) -> str:
        layers = self._layers()
        following = stack_step(graph, "token", state, self._table(), layers)
        logits = self._logits(graph, following[-layers[-1].states])
        size = self.vocabulary.choices
        logprobs, tokens = rank(graph, logits, size, self.vocabulary.first)
        give_choice(graph, logprobs, tokens, size, self.alternatives)
        _give_states(graph, following)
        return "One step: a token and the state after what came before, to the next token and state."

    def _prefill(self, graph: GraphBuilder, state: Sequence[Name]) -> str:
        following, _ = self._read(graph, state, collect_top=False)
        _give_states(graph, following)
        return "Reads a prompt: the same numbers as one step for each token, without choosing any."

    def _score(self, graph: GraphBuilder, state: Sequence[Name]) -> str:
        following, outputs = self._read(graph, state, collect_top=True)  # outputs (T, B, H)
        flat = graph.op("Reshape", outputs, graph.integers(-1, self.config.hidden_size))
        logprobs = graph.op("LogSoftmax", self._logits(graph, flat), axis=-1)  # (T*B, V)
        targets = graph.op("Reshape", graph.op("Transpose", "targets", perm=[1, 0]), graph.integers(-1, 1))
        index = graph.op("Sub", targets, graph.integers(self.vocabulary.first))
        inside = graph.op("Max", index, graph.integers(0))  # an index below 0 would count from the end
        chosen = graph.op("GatherElements", logprobs, inside, axis=1)
        omitted = graph.op("Less", index, graph.integers(0))
        chosen = graph.op("Where", omitted, graph.number(-np.inf), chosen)
        steps_first = graph.op("Shape", graph.op("Transpose", "tokens", perm=[1, 0]))
        graph.rename(graph.op("Transpose", graph.op("Reshape", chosen, steps_first), perm=[1, 0]), "logprobs")
        _give_states(graph, following)
        return (
            "Teacher forcing: the log-probability of every target given all tokens up to its own place; -inf for a "
            "reserved token, which is never generated."
        )

    def _read(self, graph: GraphBuilder, state: Sequence[Name], *, collect_top: bool) -> tuple[list[Name], Name]:
        """Run the stack over ``tokens`` (B, T), a layer at a time: only the recurrent products are sequential."""
        layers = self._layers()
        tokens = graph.op("Transpose", "tokens", perm=[1, 0])  # (T, B)
        sizes = graph.op("Shape", tokens)
        flat = graph.op("Reshape", tokens, graph.integers(-1))
        projected = project_tokens(graph, flat, self._table(), layers[0])  # (T*B, G*H)
        following: list[Name] = []
        outputs = ""
        for index, weights in enumerate(layers):
            if index:
                below = graph.op("Reshape", outputs, graph.integers(-1, layers[index - 1].size))
                projected = graph.linear(graph.bounded(below), weights.input, weights.input_bias)
            width = graph.integers(weights.recurrent.shape[0])
            steps = graph.op("Reshape", projected, graph.op("Concat", sizes, width, axis=0))  # (T, B, G*H)
            collect = collect_top or index + 1 < len(layers)

            def body(
                inner: GraphBuilder,
                carried: list[Name],
                slices: list[Name],
                weights: CellWeights = weights,
                collect: bool = collect,
            ) -> tuple[list[Name], list[Name]]:
                new = cell_step(inner, slices[0], carried, weights)
                return new, new[:1] if collect else []

            own = state[index * weights.states : (index + 1) * weights.states]
            final, collected = graph.scan(own, [steps], body, outputs=int(collect), types=[TensorProto.FLOAT])
            following += final
            outputs = collected[0] if collected else ""
        return following, outputs

    def _logits(self, graph: GraphBuilder, hidden: Name) -> Name:
        first = self.vocabulary.first
        return graph.linear(
            graph.bounded(hidden), self.weights["output.weight"][first:], self.weights["output.bias"][first:]
        )

    def _table(self) -> FloatArray:
        return self.weights["embedding.weight"]

    def _layers(self) -> list[CellWeights]:
        return [
            cell_weights(self.weights, "recurrent.", self.config.cell, layer) for layer in range(self.config.num_layers)
        ]


def _give_states(graph: GraphBuilder, following: Sequence[Name]) -> None:
    for index, name in enumerate(following):
        graph.rename(name, f"next_state_{index}")
