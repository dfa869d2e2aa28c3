"""GenerationService: streams text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from ostinato.v1 import generation_pb2, generation_pb2_grpc
from ostinato.v1.generation_pb2 import GenerateResponse
from ostinato_server.engine.request import GenerationRequest, Standing
from ostinato_server.engine.sequence import SampledSequence
from ostinato_server.errors import InvalidArgument
from ostinato_server.repository.model import DecodeModel, LoadedModel
from ostinato_server.rpc import fields
from ostinato_server.rpc.desk import Desk
from ostinato_server.rpc.generated import chunks, summary
from ostinato_server.rpc.generation_session import hold_session
from ostinato_server.rpc.sampling import read_max_tokens, read_sampling, read_stop
from ostinato_server.rpc.standing import read_standing

if TYPE_CHECKING:
    from ostinato.v1.generation_pb2_grpc import _MaybeAsyncIterator, _ServicerContext


class GenerationService(generation_pb2_grpc.GenerationServiceServicer):
    """Streams text from the generation models.

    Args:
        desk: Where requests find their model.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def Generate(  # noqa: N802 (the contract's name)
        self, request: generation_pb2.GenerateRequest, context: _ServicerContext
    ) -> AsyncIterator[generation_pb2.GenerateResponse]:
        """Continues a prompt."""
        version = request.version if request.HasField("version") else None
        model = self._desk.find(DecodeModel, "generation", request.model, version)
        with self._desk.count(model) as call:
            deadline = self._desk.deadline(context)
            standing = read_standing(request.priority, call)
            model.client.admission.check(priority=standing.priority, deadline=deadline)
            asked = read_request(request, model, deadline, standing)
            call.read(len(asked.prompt))
            details = request.include_logprobs or asked.top_alternatives > 0
            text = model.codec.text(asked.prompt, resumed=asked.resumed, stop=asked.stop)
            opened = model.client.open(
                lambda stream_id, arrival: SampledSequence(
                    stream_id, asked, arrival, text, model.manifest.tokenizer.end_id
                ),
                call,
            )
            async with opened as stream:
                async for more in chunks(stream, asked, model, call, details=details):
                    yield GenerateResponse(chunk=more)
                if stream.finished is not None:
                    yield GenerateResponse(summary=summary(stream.finished, asked, model))

    async def GenerateSession(  # noqa: N802
        self,
        request_iterator: _MaybeAsyncIterator[generation_pb2.GenerateSessionRequest],
        context: _ServicerContext,
    ) -> AsyncIterator[generation_pb2.GenerateSessionResponse]:
        """Continues a text turn by turn."""
        with self._desk.sessions.opened():
            async with aclosing(hold_session(self._desk, request_iterator, context)) as responses:
                async for response in responses:
                    yield response


def read_request(
    request: generation_pb2.GenerateRequest, model: LoadedModel, deadline: float, standing: Standing
) -> GenerationRequest:
    """The request in the engine's terms.

    Raises:
        InvalidArgument: A field is out of its limits.
    """
    limits = model.limits
    max_tokens = read_max_tokens(request.stopping, limits, least=1)
    fields.number("top_alternatives", request.top_alternatives, 0, limits.max_alternatives)
    return GenerationRequest(
        prompt=tuple(fields.prompt_tokens("prompt", request.prompt, model)),
        resumed=_resumed(request, model, max_tokens) if request.HasField("resumption") else (),
        sampling=read_sampling(request.sampling),
        max_tokens=max_tokens,
        stop=read_stop(request.stopping.stop),
        top_alternatives=request.top_alternatives,
        deadline=deadline,
        standing=standing,
    )


def _resumed(request: generation_pb2.GenerateRequest, model: LoadedModel, max_tokens: int) -> tuple[int, ...]:
    """The tokens that a broken stream had brought."""
    for name, given in (("version", request.HasField("version")), ("sampling.seed", request.sampling.HasField("seed"))):
        if not given:
            raise InvalidArgument(name, "must be given to take up a stream; its first chunk told it")
    return fields.token_ids("resumption.token_ids", request.resumption.token_ids, model, max_tokens)
