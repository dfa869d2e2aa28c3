"""A text that is followed while it is typed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING

from ostinato.v1.sentiment_pb2 import ClassifyIncrementalRequest, ClassifyIncrementalResponse
from ostinato_server.errors import InvalidArgument
from ostinato_server.repository.model import ClassifyModel
from ostinato_server.rpc import fields
from ostinato_server.rpc.desk import Desk
from ostinato_server.rpc.scores import score_texts

if TYPE_CHECKING:
    from ostinato.v1.sentiment_pb2_grpc import _ServicerContext


class TypedText:
    """A text, and the changes of its end that made it.

    Args:
        most_characters: How long it may become.
    """

    def __init__(self, most_characters: int) -> None:
        self._most_characters = most_characters
        self.text = ""
        self.changes = 0

    def change(self, deleted_characters: int, appended_text: str) -> None:
        """Takes characters off the end, then appends a text.

        Raises:
            InvalidArgument: There are not as many to take off, or it becomes too long; it is as it was.
        """
        kept = len(self.text) - deleted_characters
        if kept < 0:
            raise InvalidArgument(
                "deleted_characters", f"must be at most {len(self.text)}, the text's length, not {deleted_characters}"
            )
        if kept + len(appended_text) > self._most_characters:
            raise InvalidArgument(
                "appended_text",
                f"may make the text {self._most_characters} characters long, not {kept + len(appended_text)}",
            )
        self.text = self.text[:kept] + appended_text
        self.changes += 1


async def follow_text(
    desk: Desk, requests: AsyncIterator[ClassifyIncrementalRequest], context: _ServicerContext
) -> AsyncGenerator[ClassifyIncrementalResponse]:
    """Scores the text as it is whenever the last score is done and the text has changed since.

    Raises:
        ServerError: A message will not do, or none came in time; whatever could be scored before has been.
    """
    first = await desk.sessions.next(requests)
    if first is None:
        return
    model = desk.find(ClassifyModel, "sentiment", first.model, first.version if first.HasField("version") else None)
    typed = TypedText(model.limits.max_text_characters)
    changed = asyncio.Event()
    with model.uses.held():
        reader = asyncio.create_task(_read(desk, first, requests, typed, changed))
        try:
            done = 0
            while not reader.done() or done < typed.changes:
                await changed.wait()
                changed.clear()
                if done < typed.changes:
                    done = typed.changes
                    yield await _answer(desk, model, typed, context)
            reader.result()
        finally:
            reader.cancel()


async def _read(
    desk: Desk,
    request: ClassifyIncrementalRequest | None,
    requests: AsyncIterator[ClassifyIncrementalRequest],
    typed: TypedText,
    changed: asyncio.Event,
) -> None:
    """Makes every change as it comes."""
    try:
        while request is not None:
            typed.change(request.deleted_characters, request.appended_text)
            changed.set()
            request = await desk.sessions.next(requests)
            if request is not None and (request.model or request.HasField("version")):
                raise InvalidArgument("model", "must be in the first message only, as must the version")
    finally:
        changed.set()


async def _answer(
    desk: Desk, model: ClassifyModel, typed: TypedText, context: _ServicerContext
) -> ClassifyIncrementalResponse:
    text, changes = typed.text, typed.changes
    if not text.strip() or not model.codec.encode(text):
        return ClassifyIncrementalResponse(change_count=changes)
    with desk.count(model) as call:
        tokens = fields.words("appended_text", text, model)
        call.read(len(tokens))
        deadline = desk.deadline(context)
        (score,) = await score_texts(model, [tokens], include_trace=False, deadline=deadline, call=call)
    return ClassifyIncrementalResponse(change_count=changes, score=score)
