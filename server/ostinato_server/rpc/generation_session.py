"""A session: turns on one text, each of which goes on from the state that the one before left."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from ostinato.v1 import generation_pb2
from ostinato.v1.generation_pb2 import GenerateSessionResponse
from ostinato_server.engine.request import Continuation, Finished, FinishReason, GenerationRequest
from ostinato_server.engine.sequence import SampledSequence
from ostinato_server.errors import InvalidArgument
from ostinato_server.repository.codec import REPLAYED_TOKENS
from ostinato_server.repository.model import DecodeModel
from ostinato_server.rpc import fields
from ostinato_server.rpc.call import current_call
from ostinato_server.rpc.desk import Desk
from ostinato_server.rpc.generated import chunks, summary
from ostinato_server.rpc.sampling import read_max_tokens, read_sampling, read_stop
from ostinato_server.rpc.standing import read_standing

if TYPE_CHECKING:
    from ostinato.v1.generation_pb2_grpc import _ServicerContext


async def hold_session(
    desk: Desk, requests: AsyncIterator[generation_pb2.GenerateSessionRequest], context: _ServicerContext
) -> AsyncGenerator[GenerateSessionResponse]:
    """Answers turns one after another; between them the session is a row of state and nothing else.

    Raises:
        ServerError: A message will not do, a turn failed, or none came in time.
    """
    first = await desk.sessions.next(requests)
    if first is None:
        return
    if first.WhichOneof("payload") != "start":
        raise InvalidArgument("start", "must be in the first message")
    with fields.within("start"):
        session = _Session(desk, first.start, context)
    with session.model.uses.held():
        while (request := await desk.sessions.next(requests)) is not None:
            if request.WhichOneof("payload") != "turn":
                raise InvalidArgument("turn", "must be in every message but the first")
            async with aclosing(session.answer(request.turn)) as responses:  # frees the slot if nobody reads on
                async for response in responses:
                    yield response


class _Session:
    """One text and where it is.

    Args:
        desk: Where the model is found.
        start: What holds for all turns.
        context: Whose it is.

    Raises:
        ModelNotFound: There is no such model.
        InvalidArgument: A field is out of its limits.
    """

    def __init__(self, desk: Desk, start: generation_pb2.SessionStart, context: _ServicerContext) -> None:
        self._desk = desk
        self._context = context
        version = start.version if start.HasField("version") else None
        self._pinned = version is not None
        self.model = desk.find(DecodeModel, "generation", start.model, version)
        limit = self.model.limits.max_alternatives
        self._alternatives = round(fields.number("top_alternatives", start.top_alternatives, 0, limit))
        self._details = start.include_logprobs or self._alternatives > 0
        self._standing = read_standing(start.priority, current_call.get())
        self._after: Continuation | None = None
        self._ended = False
        self._last: tuple[int, ...] = ()
        """The last tokens of the conversation."""
        if start.past:
            self._go_on_after(start.past)

    def _go_on_after(self, past: Sequence[generation_pb2.PastTurn]) -> None:
        """Puts the turns of a session that broke before the first turn, which reads them with its own text."""
        if not self._pinned:
            raise InvalidArgument("version", "must be given to go on from past turns; their first chunks told it")
        start_id = self.model.manifest.tokenizer.start_id
        pending = [] if start_id is None else [start_id]
        for place, turn in enumerate(past):
            with fields.within(f"past[{place}]"):
                pending += self._tokens(turn.text)
                pending += fields.token_ids("token_ids", turn.token_ids, self.model)
            self._after = Continuation((), tuple(pending))
        self._last = tuple(pending[-REPLAYED_TOKENS:])

    async def answer(self, turn: generation_pb2.SessionTurn) -> AsyncGenerator[GenerateSessionResponse]:
        """Reads a turn's text and goes on with it."""
        model = self.model
        with self._desk.count(model) as call:
            deadline = self._desk.deadline(self._context)
            model.client.admission.check(priority=self._standing.priority, deadline=deadline)
            with fields.within("turn"):
                asked = self._read(turn, deadline)
            call.read(len(asked.prompt))
            context = (*self._last, *asked.prompt)
            text = model.codec.text(context, resumed=asked.resumed, stop=asked.stop)
            spoken = [*context[-REPLAYED_TOKENS:], *asked.resumed[-REPLAYED_TOKENS:]]
            opened = model.client.open(
                lambda stream_id, arrival: SampledSequence(
                    stream_id, asked, arrival, text, model.manifest.tokenizer.end_id
                ),
                call,
            )
            async with opened as stream:
                async for more in chunks(stream, asked, model, call, details=self._details):
                    spoken = [*spoken[-REPLAYED_TOKENS:], *more.token_ids]
                    yield GenerateSessionResponse(chunk=more)
                if stream.finished is not None:
                    self._go_on_from(stream.finished, spoken)
                    yield GenerateSessionResponse(summary=summary(stream.finished, asked, model))

    def _go_on_from(self, finished: Finished, spoken: list[int]) -> None:
        after = self._after = finished.continuation
        # A stop text that the end of the sequence completed leaves nothing to be read either.
        self._ended = finished.reason is FinishReason.END_OF_SEQUENCE or after is None or not after.pending
        self._last = (*spoken, *finished.withheld_tokens)[-REPLAYED_TOKENS:]

    def _read(self, turn: generation_pb2.SessionTurn, deadline: float) -> GenerationRequest:
        """The turn in the engine's terms.

        Raises:
            InvalidArgument: A field is out of its limits.
        """
        max_tokens = read_max_tokens(turn.stopping, self.model.limits, least=0)
        resumed: tuple[int, ...] = ()
        if turn.HasField("resumption"):
            if not self._pinned:
                raise InvalidArgument("resumption", "needs start.version; the turn's first chunk told it")
            if not turn.sampling.HasField("seed"):
                raise InvalidArgument("sampling.seed", "must be given to take up a turn; its first chunk told it")
            resumed = fields.token_ids("resumption.token_ids", turn.resumption.token_ids, self.model, max_tokens)
        return GenerationRequest(
            prompt=self._tokens(turn.text),
            after=self._after,
            keeps_state=True,
            resumed=resumed,
            sampling=read_sampling(turn.sampling),
            max_tokens=max_tokens,
            stop=read_stop(turn.stopping.stop),
            top_alternatives=self._alternatives,
            deadline=deadline,
            standing=self._standing,
        )

    def _tokens(self, text: str) -> tuple[int, ...]:
        if text or self._after is None:
            return tuple(fields.prompt_tokens("text", text, self.model))
        if self._ended:
            raise InvalidArgument("text", "must not be empty once the model has ended the sequence")
        return ()
