"""The batching loop inside an asyncio server, for BentoML, MLServer and Ray Serve, which leave it to the model."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from .decoding import ContinuousBatch, Request

Queue = asyncio.Queue[tuple[str, bool]]


class StreamingBatch:
    """Requests on an event loop, steps on one thread beside it.

    The next step starts before the characters of the last are sent: the graph runs while the loop writes.
    """

    def __init__(self) -> None:
        self._batch: ContinuousBatch[Queue] = ContinuousBatch()
        self._waiting: deque[tuple[Queue, Request]] = deque()
        self._left: list[Queue] = []
        self._thread = ThreadPoolExecutor(1, "decoder")
        self._running: asyncio.Task[None] | None = None

    async def stream(self, request: Request) -> AsyncIterator[str]:
        """Yields characters as they are drawn."""
        queue: Queue = asyncio.Queue()
        self._waiting.append((queue, request))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        last = False
        try:
            while not last:
                character, last = await queue.get()
                yield character
        finally:
            if not last:
                self._left.append(queue)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting or len(self._batch):
            while self._left:
                self._batch.drop(self._left.pop())
            while self._waiting and self._batch.free:
                self._batch.add(*self._waiting.popleft())
            for queue, character, last in await loop.run_in_executor(self._thread, self._batch.step):
                queue.put_nowait((character, last))
