"""TorchServe: dynamic batching in lockstep, with streamed responses.

https://docs.pytorch.org/serve/batch_inference_with_ts.html
https://docs.pytorch.org/serve/inference_api.html#curl-example-1 (streaming with send_intermediate_predict_response)
"""

from __future__ import annotations

import json
from typing import Any

from ts.handler_utils.utils import send_intermediate_predict_response
from work.classifying import Classifier
from work.decoding import ContinuousBatch, Request


class Generator:
    """A batch of requests from their first character to the last of the longest."""

    def initialize(self, context: Any) -> None:
        """Opens the step graph in the worker."""
        self.batch: ContinuousBatch[int] = ContinuousBatch()

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[str]:
        """Streams a character a message, and ends with nothing more to say."""
        for index, row in enumerate(data):
            self.batch.add(index, Request(**_body(row)))
        names = context.request_ids
        texts = [""] * len(data)
        while self.batch:
            for index in range(len(texts)):
                texts[index] = ""
            drawn = self.batch.step()
            for index, character, _ in drawn:
                texts[index] = character
            if drawn and self.batch:
                send_intermediate_predict_response(texts, names, "Intermediate Prediction success", 200, context)
        return texts


class Sentiment:
    """A batch of texts."""

    def initialize(self, context: Any) -> None:
        """Opens the classifier in the worker."""
        self.classifier = Classifier()

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[str]:
        """Scores a batch."""
        return [f"{score:.6f}" for score in self.classifier.score([_body(row)["text"] for row in data])]


def _body(row: dict[str, Any]) -> dict[str, Any]:
    body = row.get("body") or row.get("data")
    fields: dict[str, Any] = body if isinstance(body, dict) else json.loads(bytes(body))
    return fields
