"""MLServer: ``predict_stream`` over a batching loop in the model; adaptive batching for sentiment.

https://mlserver.readthedocs.io/en/latest/user-guide/streaming.html
https://mlserver.readthedocs.io/en/latest/user-guide/adaptive-batching.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse
from work.classifying import Classifier
from work.decoding import Request
from work.streaming import StreamingBatch


class Generator(MLModel):
    """Streams characters; the request is one JSON text in a BYTES tensor."""

    async def load(self) -> bool:
        """Opens the step graph."""
        self.batch = StreamingBatch()
        return True

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        """A character a response."""
        payload = await anext(aiter(payloads))
        (text,) = StringCodec.decode_input(payload.inputs[0])
        async for character in self.batch.stream(Request.from_json(text)):
            yield InferenceResponse(
                model_name=self.name, outputs=[StringCodec.encode_output("text", [character], use_bytes=False)]
            )


class Sentiment(MLModel):
    """Scores what adaptive batching put together."""

    async def load(self) -> bool:
        """Opens the classifier."""
        self.classifier = Classifier()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Texts in one BYTES tensor, scores in one FP32 tensor."""
        texts = StringCodec.decode_input(payload.inputs[0])
        scores = np.array(self.classifier.score(texts), np.float32)[:, None]
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("positive", scores)])
