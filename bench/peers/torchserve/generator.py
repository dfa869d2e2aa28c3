"""TorchServe: dynamic batching in lockstep, with streamed responses.

https://docs.pytorch.org/serve/batch_inference_with_ts.html
https://docs.pytorch.org/serve/inference_api.html
"""

from __future__ import annotations

import json
from typing import Any

from ts.handler_utils.utils import send_intermediate_predict_response
from work.decoding import ContinuousBatch, Request


class Generator:
    """A batch of requests, from its first character to its last."""

    def initialize(self, context: Any) -> None:
        """Opens the step graph in the worker."""
        self.batch: ContinuousBatch[int] = ContinuousBatch()

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[str]:
        """Streams a character a message; the last one ends the responses."""
        for index, row in enumerate(data):
            body = row["body"]
            self.batch.add(index, Request(**(body if isinstance(body, dict) else json.loads(bytes(body)))))
        while True:
            texts = [""] * len(data)
            for index, character, _ in self.batch.step():
                texts[index] = character
            if not self.batch:
                return texts
            send_intermediate_predict_response(
                texts, context.request_ids, "Intermediate Prediction success", 200, context
            )
