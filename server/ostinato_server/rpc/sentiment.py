"""SentimentService: scores texts, one by one, in batches, or as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import ExitStack, aclosing
from typing import TYPE_CHECKING, Any

from ostinato.v1 import sentiment_pb2, sentiment_pb2_grpc
from ostinato_server.errors import InvalidArgument
from ostinato_server.repository.model import ClassifyModel
from ostinato_server.rpc import fields
from ostinato_server.rpc.desk import Desk
from ostinato_server.rpc.scores import score_texts
from ostinato_server.rpc.typed_text import follow_text

if TYPE_CHECKING:
    from ostinato.v1.sentiment_pb2_grpc import _MaybeAsyncIterator, _ServicerContext

MAX_TRACED_TEXTS = 16
"""Texts of a batch that asks for traces: a trace runs the model once for every token."""

STREAM_WINDOW = 64
"""Texts of one stream that may be under way; the next one is read when the oldest has been answered."""


Answer = asyncio.Task[sentiment_pb2.ClassifyStreamResponse]


class SentimentService(sentiment_pb2_grpc.SentimentServiceServicer):
    """Scores texts with the sentiment models.

    Args:
        desk: Where requests find their model.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def Classify(  # noqa: N802 (the contract's name)
        self, request: sentiment_pb2.ClassifyRequest, context: _ServicerContext
    ) -> sentiment_pb2.ClassifyResponse:
        """Scores one text."""
        model = self._find(request.model, request.version if request.HasField("version") else None)
        with self._desk.count(model) as call:
            deadline = self._desk.deadline(context)
            model.client.admission.check(deadline=deadline)
            tokens = fields.words("text", request.text, model)
            call.read(len(tokens))
            (score,) = await score_texts(model, [tokens], request.include_trace, deadline, call)
        return sentiment_pb2.ClassifyResponse(score=score)

    async def ClassifyBatch(  # noqa: N802
        self, request: sentiment_pb2.ClassifyBatchRequest, context: _ServicerContext
    ) -> sentiment_pb2.ClassifyBatchResponse:
        """Scores several texts."""
        model = self._find(request.model, request.version if request.HasField("version") else None)
        with self._desk.count(model) as call:
            limit = model.limits.max_batch_texts
            if not 1 <= len(request.texts) <= limit:
                raise InvalidArgument("texts", f"must be 1 to {limit} texts, not {len(request.texts)}")
            if request.include_trace and len(request.texts) > MAX_TRACED_TEXTS:
                raise InvalidArgument(
                    "include_trace", f"needs a batch of at most {MAX_TRACED_TEXTS} texts, not {len(request.texts)}"
                )
            fields.admissible("texts", len(request.texts), model.client.admission)
            deadline = self._desk.deadline(context)
            model.client.admission.check(len(request.texts), deadline=deadline)
            texts = [fields.words(f"texts[{index}]", text, model) for index, text in enumerate(request.texts)]
            for tokens in texts:
                call.read(len(tokens))
            scores = await score_texts(model, texts, request.include_trace, deadline, call)
        return sentiment_pb2.ClassifyBatchResponse(scores=scores)

    async def ClassifyStream(  # noqa: N802
        self,
        request_iterator: _MaybeAsyncIterator[sentiment_pb2.ClassifyStreamRequest],
        context: _ServicerContext,
    ) -> AsyncIterator[sentiment_pb2.ClassifyStreamResponse]:
        """Scores texts as they come; they run side by side and are answered in order."""
        answers: asyncio.Queue[Answer | None] = asyncio.Queue()
        places = asyncio.Semaphore(STREAM_WINDOW)
        answer: Answer | None = None
        with ExitStack() as held:
            reader = asyncio.create_task(self._read(request_iterator, context, answers, places, held))
            try:
                while (answer := await answers.get()) is not None:
                    yield await answer
                    places.release()
                await reader
            finally:
                await _cancel([reader])  # first: it starts answers
                await _cancel([left for left in (answer, *_drain(answers)) if left is not None])

    async def ClassifyIncremental(  # noqa: N802
        self,
        request_iterator: _MaybeAsyncIterator[sentiment_pb2.ClassifyIncrementalRequest],
        context: _ServicerContext,
    ) -> AsyncIterator[sentiment_pb2.ClassifyIncrementalResponse]:
        """Scores a text again and again while it is typed."""
        with self._desk.sessions.opened():
            async with aclosing(follow_text(self._desk, request_iterator, context)) as responses:
                async for response in responses:
                    yield response

    async def _read(
        self,
        requests: AsyncIterator[sentiment_pb2.ClassifyStreamRequest],
        context: _ServicerContext,
        answers: asyncio.Queue[Answer | None],
        places: asyncio.Semaphore,
        held: ExitStack,
    ) -> None:
        """Starts scoring every text that comes; puts None behind the last one, also when it raises.

        A name means the same version throughout the stream, which holds it to its end.
        """
        chosen: dict[tuple[str, int | None], ClassifyModel] = {}
        model: ClassifyModel | None = None
        number = 0
        try:
            async with aclosing(self._desk.sessions.until_draining(requests)) as arriving:
                async for request in arriving:
                    if model is None or request.model:
                        wanted = (request.model, request.version if request.HasField("version") else None)
                        if wanted not in chosen:
                            chosen[wanted] = self._find(*wanted)
                            held.enter_context(chosen[wanted].uses.held())
                        model = chosen[wanted]
                    await places.acquire()
                    # No await between the two: a task that is not in the queue is never cancelled.
                    answers.put_nowait(asyncio.create_task(self._answer(model, request, number, context)))
                    number += 1
        finally:
            answers.put_nowait(None)

    async def _answer(
        self,
        model: ClassifyModel,
        request: sentiment_pb2.ClassifyStreamRequest,
        sequence_number: int,
        context: _ServicerContext,
    ) -> sentiment_pb2.ClassifyStreamResponse:
        with self._desk.count(model) as call:
            tokens = fields.words("text", request.text, model)
            call.read(len(tokens))
            (score,) = await score_texts(model, [tokens], request.include_trace, self._desk.deadline(context), call)
        return sentiment_pb2.ClassifyStreamResponse(
            request_id=request.request_id, sequence_number=sequence_number, score=score
        )

    def _find(self, name: str, version: int | None) -> ClassifyModel:
        return self._desk.find(ClassifyModel, "sentiment", name, version)


def _drain(answers: asyncio.Queue[Answer | None]) -> list[Answer | None]:
    return [answers.get_nowait() for _ in range(answers.qsize())]


async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancels tasks and waits for their ends; what they raise is dropped."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
