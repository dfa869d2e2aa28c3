"""BentoML: an async generator over a batching loop in the service; adaptive batching for sentiment.

https://docs.bentoml.com/en/latest/get-started/async-task-queues.html#streaming
https://docs.bentoml.com/en/latest/get-started/adaptive-batching.html
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import bentoml
from work.classifying import Classifier
from work.decoding import Request
from work.session import TEXTS
from work.streaming import StreamingBatch


@bentoml.service(
    workers=1,
    traffic={"timeout": 120, "max_concurrency": 4096},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
)
class Peer:
    """Both models in one process."""

    def __init__(self) -> None:
        self.batch = StreamingBatch()
        self.classifier = Classifier()

    @bentoml.api
    async def generate(self, prompt: str, characters: int, temperature: float, seed: int) -> AsyncGenerator[str, None]:
        """A character a chunk."""
        async for character in self.batch.stream(Request(prompt, characters, temperature, seed)):
            yield character

    @bentoml.api(batchable=True, max_batch_size=TEXTS, max_latency_ms=10_000)
    def sentiment(self, texts: list[str]) -> list[float]:
        """A batch of texts from many requests."""
        return self.classifier.score(texts)
