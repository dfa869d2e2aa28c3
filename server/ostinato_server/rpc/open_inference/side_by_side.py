"""The requests of one stream side by side, their answers in one stream; knows neither messages nor gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TypeVar

from ostinato_server.errors import DeadlineExpired

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class _End:
    """Follows the last answer.

    Attributes:
        error: What ended the requests; none where they were all.
    """

    error: Exception | None = None


async def side_by_side(
    requests: AsyncIterator[Q], answer: Callable[[Q], AsyncGenerator[A]], most: int, most_seconds: float
) -> AsyncGenerator[A]:
    """Answers requests as they come, several at a time.

    The answers to one request keep their order, those to different requests mix. One answer is ahead of the reader:
    where it lags, the requests wait. Closing the generator, or cancelling its task, ends all that runs before it
    returns.

    Args:
        requests: What is asked; after the last one, what runs may finish.
        answer: Answers one request. What it raises ends all requests. It gets a `DeadlineExpired` where it yields an
            answer that the reader does not take in time, and may yield a last one then.
        most: Requests that may run. One more is read, and waits for a place.
        most_seconds: From the start of a request to its end.

    Raises:
        Exception: What ``requests`` raised, once the requests before it are answered.
    """
    answers: asyncio.Queue[A | _End] = asyncio.Queue(1)
    running = asyncio.create_task(_run(requests, answer, most, most_seconds, answers))
    try:
        while not isinstance(given := await answers.get(), _End):
            yield given
        if given.error is not None:
            raise given.error
    finally:
        running.cancel()
        await asyncio.wait([running])


async def _run(
    requests: AsyncIterator[Q],
    answer: Callable[[Q], AsyncGenerator[A]],
    most: int,
    most_seconds: float,
    answers: asyncio.Queue[A | _End],
) -> None:
    places = asyncio.Semaphore(most)
    loop = asyncio.get_running_loop()

    async def one(request: Q) -> None:
        deadline = loop.time() + most_seconds
        try:
            async with aclosing(answer(request)) as pieces:
                async for piece in pieces:
                    try:
                        async with asyncio.timeout_at(deadline):
                            await answers.put(piece)
                    except TimeoutError:
                        with suppress(StopAsyncIteration):
                            await answers.put(await pieces.athrow(DeadlineExpired()))
        finally:
            places.release()

    end = _End()
    try:
        async with asyncio.TaskGroup() as group:
            try:
                async for request in requests:
                    await places.acquire()
                    group.create_task(one(request))
            except Exception as error:
                end = _End(error)
    except ExceptionGroup as failed:
        end = _End(failed.exceptions[0])
    await answers.put(end)
