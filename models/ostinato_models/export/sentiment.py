"""The sentiment classifier's graph: padded texts to the probabilities of both classes."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from torch import nn

from ostinato_bundle import Limits
from ostinato_models.export.encoder import read_texts
from ostinato_models.export.graph_builder import GraphBuilder, Precision
from ostinato_models.export.signatures import Signature, batch
from ostinato_models.export.torch_modules import Classifier
from ostinato_models.export.weights import Weights, cell_weights
from ostinato_models.networks import SentimentClassifier, SentimentClassifierConfig


@dataclass(frozen=True, slots=True)
class SentimentGraphs:
    """Writes the graph of a sentiment classifier.

    Attributes:
        config: the network's sizes.
        weights: its parameters.
        network: the same network in PyTorch.
    """

    config: SentimentClassifierConfig
    weights: Weights
    network: SentimentClassifier

    served = ("classifier",)

    @property
    def limits(self) -> Limits:
        """What requests must keep to."""
        return Limits(max_text_characters=20_000, max_input_tokens=4096, max_batch_texts=1024)

    def signatures(self) -> dict[str, Signature]:
        """What the graph takes and gives."""
        inputs = (batch("tokens", "int64", -1), batch("lengths", "int64"))
        return {"classifier": Signature(inputs, (batch("probabilities", "float32", 2),))}

    def onnx(self, name: str, precision: Precision) -> onnx.ModelProto:
        """Write the graph, which is called ``classifier``."""
        graph = GraphBuilder(precision)
        config = self.config
        layers = [
            [
                cell_weights(self.weights, "recurrent.", config.cell, layer, reverse=reverse)
                for reverse in ([False, True] if config.bidirectional else [False])
            ]
            for layer in range(config.num_layers)
        ]
        reading = read_texts(graph, self.weights["embedding.weight"], layers, config.pooling)
        # Two columns: int8 would save nothing and cost precision where it shows.
        logits = graph.float_linear(reading.pooled, self.weights["output.weight"], self.weights["output.bias"])
        graph.rename(graph.op("Softmax", logits, axis=-1), "probabilities")
        signature = self.signatures()[name]
        description = "Texts, padded, and their lengths to the probabilities of negative and positive."
        return graph.build(name, description, signature.inputs, signature.outputs)

    def torch(self, name: str) -> nn.Module:
        """Make the graph's module."""
        del name
        return Classifier(self.network)
