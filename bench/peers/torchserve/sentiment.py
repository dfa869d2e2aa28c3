"""TorchServe: dynamic batching.

https://docs.pytorch.org/serve/batch_inference_with_ts.html
"""

from __future__ import annotations

import json
from typing import Any

from work.classifying import Classifier


class Sentiment:
    """A batch of texts."""

    def initialize(self, context: Any) -> None:
        """Opens the classifier in the worker."""
        self.classifier = Classifier()

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[str]:
        """Scores a batch."""
        bodies = [row["body"] for row in data]
        texts = [(body if isinstance(body, dict) else json.loads(bytes(body)))["text"] for body in bodies]
        return [f"{score:.6f}" for score in self.classifier.score(texts)]
