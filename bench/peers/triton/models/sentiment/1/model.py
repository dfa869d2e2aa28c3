"""Triton's Python backend behind its dynamic batcher.

https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/batcher.html
"""

from __future__ import annotations

from typing import Any

import numpy as np
import triton_python_backend_utils as triton
from work.classifying import Classifier


class TritonPythonModel:
    """Scores what the batcher put together."""

    def initialize(self, arguments: dict[str, str]) -> None:
        """Opens the classifier."""
        self.classifier = Classifier()

    def execute(self, requests: list[Any]) -> list[Any]:
        """A response a request."""
        texts = [triton.get_input_tensor_by_name(each, "text").as_numpy().item().decode() for each in requests]
        return [
            triton.InferenceResponse([triton.Tensor("positive", np.array([[score]], np.float32))])
            for score in self.classifier.score(texts)
        ]
