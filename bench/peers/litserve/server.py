"""LitServe: its continuous batching loop for generation, its dynamic batching for sentiment.

https://lightning.ai/docs/litserve/features/batching
https://lightning.ai/docs/litserve/features/streaming
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from typing import Any

import litserve
from litserve.loops.continuous_batching_loop import ContinuousBatchingLoop, Output
from litserve.utils import LitAPIStatus
from work.classifying import Classifier
from work.decoding import ContinuousBatch, Request
from work.session import SLOTS, TEXTS


class GenerateAPI(litserve.LitAPI):
    """The methods that ``ContinuousBatchingLoop`` calls."""

    def setup(self, device: str) -> None:
        """Opens the step graph in the worker."""
        self.batch: ContinuousBatch[str] = ContinuousBatch()
        # Requests come on the loop's thread while another steps.
        self.inbox: deque[tuple[str, Request]] = deque()

    def add_request(self, uid: str, request: dict[str, Any]) -> None:
        """Lets a stream join."""
        self.inbox.append((uid, Request(**request)))

    def has_capacity(self) -> bool:
        """Whether another may join."""
        return self.batch.free > len(self.inbox)

    def has_active_requests(self) -> bool:
        """Whether there is anything to step."""
        return len(self.batch) + len(self.inbox) > 0

    def step(self, previous: list[Output] | None) -> list[Output]:
        """Steps all streams once."""
        while self.inbox:
            self.batch.add(*self.inbox.popleft())
        outputs: list[Output] = []
        for uid, character, last in self.batch.step():
            outputs.append(Output(uid, character, LitAPIStatus.OK))
            if last:
                outputs.append(Output(uid, "", LitAPIStatus.FINISH_STREAMING))
        return outputs

    def encode_response(self, output: str) -> str:
        """A character is its own encoding."""
        return output


class SentimentAPI(litserve.LitAPI):
    """Dynamic batching."""

    def setup(self, device: str) -> None:
        """Opens the classifier in the worker."""
        self.classifier = Classifier()

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # an annotation would be read as a schema
        """The text of a request."""
        return request["text"]

    def batch(self, inputs: list[str]) -> list[str]:
        """Texts need no stacking."""
        return inputs

    def predict(self, texts: Sequence[str]) -> list[float]:
        """Scores a batch."""
        return self.classifier.score(texts)

    def unbatch(self, output: list[float]) -> list[float]:
        """Nor do scores."""
        return output

    def encode_response(self, output: float) -> dict[str, float]:
        """The answer's body."""
        return {"positive": output}


if __name__ == "__main__":
    server = litserve.LitServer(
        [
            GenerateAPI(max_batch_size=SLOTS, stream=True, loop=ContinuousBatchingLoop(), api_path="/generate"),
            SentimentAPI(max_batch_size=TEXTS, batch_timeout=0.02, api_path="/sentiment"),
        ],
        accelerator="cpu",
        workers_per_device=1,
        timeout=False,
        fast_queue=os.environ.get("PEER_FAST_QUEUE", "1") == "1",
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PEER_PORT"]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
