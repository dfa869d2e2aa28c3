"""Ray Serve, gRPC proxy: a streaming method over a batching loop in the replica; ``serve.batch`` for sentiment.

The contract is Ostinato's own, so that both are called alike.

https://docs.ray.io/en/latest/serve/advanced-guides/grpc-guide.html
https://docs.ray.io/en/latest/serve/advanced-guides/dyn-req-batch.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from ray import serve
from work.classifying import Classifier
from work.decoding import Request
from work.session import TEXTS
from work.streaming import StreamingBatch

from ostinato.v1 import generation_pb2, sentiment_pb2


@serve.deployment(max_ongoing_requests=4096, ray_actor_options={"num_cpus": 0})
class Peer:
    """Both models in one replica."""

    def __init__(self) -> None:
        self.batch = StreamingBatch()
        self.classifier = Classifier()

    async def Generate(self, request: generation_pb2.GenerateRequest) -> AsyncIterator[generation_pb2.GenerateResponse]:  # noqa: N802
        """A character a message."""
        wanted = Request(
            request.prompt, request.stopping.max_tokens, request.sampling.temperature, request.sampling.seed
        )
        async for character in self.batch.stream(wanted):
            yield generation_pb2.GenerateResponse(chunk=generation_pb2.GeneratedChunk(text=character, token_count=1))

    async def Classify(self, request: sentiment_pb2.ClassifyRequest) -> sentiment_pb2.ClassifyResponse:  # noqa: N802
        """One text of a batch."""
        score = await self.score(request.text)
        return sentiment_pb2.ClassifyResponse(score=sentiment_pb2.SentimentScore(positive_probability=score))

    @serve.batch(max_batch_size=TEXTS, batch_wait_timeout_s=0.01)
    async def score(self, texts: list[str]) -> list[float]:
        """A batch."""
        return self.classifier.score(texts)


application = Peer.bind()
