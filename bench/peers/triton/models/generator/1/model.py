"""Triton's Python backend, decoupled: ``execute`` only takes requests in, a loop of our own steps and answers.

https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/python_backend/README.html#decoupled-mode
"""

from __future__ import annotations

import queue
import threading
from typing import Any

import numpy as np
import triton_python_backend_utils as triton
from work.decoding import ContinuousBatch, Request


class TritonPythonModel:
    """Continuous batching in the backend's process."""

    def initialize(self, arguments: dict[str, str]) -> None:
        """Opens the step graph and starts the threads."""
        self.batch: ContinuousBatch[Any] = ContinuousBatch()
        self.inbox: queue.SimpleQueue[tuple[Any, Request] | None] = queue.SimpleQueue()
        self.outbox: queue.Queue[list[tuple[Any, str, bool]]] = queue.Queue(maxsize=1)
        self.threads = [threading.Thread(target=each, daemon=True) for each in (self.step, self.send)]
        for thread in self.threads:
            thread.start()

    def execute(self, requests: list[Any]) -> None:
        """Hands requests to the loop."""
        for request in requests:
            text = triton.get_input_tensor_by_name(request, "request").as_numpy().item()
            self.inbox.put((request.get_response_sender(), Request.from_json(text)))

    def step(self) -> None:
        """Steps while there is a stream, waits where there is none."""
        while True:
            while self.batch.free and (not self.batch or not self.inbox.empty()):
                joining = self.inbox.get()
                if joining is None:
                    self.outbox.put([])
                    return
                self.batch.add(*joining)
            self.outbox.put(self.batch.step())

    def send(self) -> None:
        """Sends a step's characters while the next step runs."""
        while drawn := self.outbox.get():
            for sender, character, last in drawn:
                tensor = triton.Tensor("text", np.array([character.encode()], np.object_))
                flags = triton.TRITONSERVER_RESPONSE_COMPLETE_FINAL if last else 0
                sender.send(triton.InferenceResponse([tensor]), flags=flags)

    def finalize(self) -> None:
        """Ends both threads."""
        self.inbox.put(None)
        for thread in self.threads:
            thread.join()
