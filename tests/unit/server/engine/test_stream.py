from __future__ import annotations

import asyncio

import numpy as np
import pytest
from tests.unit.server.engine.rig import digits

from ostinato_server.engine.admission import Admission
from ostinato_server.engine.decode import Cancel, Grant, Submit
from ostinato_server.engine.outbox import Delivery
from ostinato_server.engine.request import (
    Finished,
    FinishReason,
    GeneratedToken,
    GenerationRequest,
    Milestones,
    SamplingParameters,
    TranslationRequest,
)
from ostinato_server.engine.sequence import BeamSequence, SampledSequence, StepResults
from ostinato_server.engine.stream import DecodeClient, OpenStream
from ostinato_server.errors import Draining, EngineFault, Overloaded

END = Finished(FinishReason.LENGTH, 2, -1.0, 0.0, 0.1, 0.2)


class Inbox:
    """Stands where the engine is: keeps what it is sent."""

    def __init__(self) -> None:
        self.messages: list[object] = []

    def post(self, message: object) -> None:
        self.messages.append(message)


class Observer:
    """Keeps what it is told of a request."""

    sampled_trace_id = "abc"

    def __init__(self) -> None:
        self.told: list[Milestones] = []

    def went(self, milestones: Milestones) -> None:
        self.told.append(milestones)


class Rig:
    def __init__(self, *, window: int = 8, slots: int = 2) -> None:
        self.inbox = Inbox()
        self.now = 0.0
        self.client = DecodeClient(Admission("m", slots, 0, lambda: self.now), window, lambda: self.now)
        self.client.connect(self.inbox, asyncio.get_running_loop())  # type: ignore[arg-type]

    def open(self, observer: Observer | None = None) -> OpenStream:
        request = GenerationRequest(prompt=(1,), sampling=SamplingParameters(), max_tokens=9, deadline=99.0)
        return self.client.open(
            lambda number, arrival: SampledSequence(number, request, arrival, digits(), None), observer
        )

    def deliver(self, stream_id: int, ids: list[int], end: Finished | Exception | None = None) -> None:
        tokens = [GeneratedToken(token, str(token), 0.0) for token in ids]
        self.client.deliver([Delivery(stream_id, tokens, end)])


async def test_beam_search_takes_a_place_for_each_hypothesis() -> None:
    rig = Rig(slots=5)
    request = TranslationRequest(
        source=(4,), beam_size=4, length_penalty=0.6, max_tokens=3, include_attention=False, deadline=99.0
    )
    opened = rig.client.open(lambda number, arrival: BeamSequence(number, request, arrival, digits(), 2))
    async with opened:
        assert rig.client.admission.inside == 4
        async with rig.open():
            with pytest.raises(Overloaded):
                await rig.open().__aenter__()
    assert rig.client.admission.inside == 0


async def test_reader_takes_all_that_has_arrived_since_it_last_read() -> None:
    rig = Rig()
    async with rig.open() as stream:
        rig.deliver(stream.id, [1])
        assert [token.token_id for token in await stream.read()] == [1]
        rig.deliver(stream.id, [2])
        rig.deliver(stream.id, [3, 4], END)
        await asyncio.sleep(0)
        assert [token.token_id for token in await stream.read()] == [2, 3, 4]
        assert await stream.read() == []
        assert stream.finished == END
    assert [type(message) for message in rig.inbox.messages] == [Submit]


async def test_error_is_raised_after_the_tokens_before_it_were_read() -> None:
    rig = Rig()
    async with rig.open() as stream:
        rig.deliver(stream.id, [1], EngineFault("m"))
        assert len(await stream.read()) == 1
        with pytest.raises(EngineFault):
            await stream.read()


async def test_credit_goes_back_once_half_the_window_was_read() -> None:
    rig = Rig(window=8)
    async with rig.open() as stream:
        rig.deliver(stream.id, [1, 2, 3])
        await stream.read()
        assert len(rig.inbox.messages) == 1
        rig.deliver(stream.id, [4, 5])
        await stream.read()
        assert rig.inbox.messages[-1] == Grant(stream.id, 5)
        rig.deliver(stream.id, [], END)
        await stream.read()


async def test_scope_left_early_cancels_the_stream_and_frees_its_place() -> None:
    rig = Rig(slots=1)
    with pytest.raises(KeyError):
        async with rig.open() as stream:
            raise KeyError("the reader broke")
    assert rig.inbox.messages[-1] == Cancel(stream.id)
    assert rig.client.admission.inside == 0
    rig.deliver(stream.id, [1])
    await asyncio.sleep(0)


async def test_stream_over_the_bound_is_refused_and_leaves_no_trace() -> None:
    rig = Rig(slots=1)
    async with rig.open():
        with pytest.raises(Overloaded):
            async with rig.open():
                pass
        assert rig.client.admission.inside == 1
    assert len(rig.inbox.messages) == 2


async def test_a_suspended_client_ends_its_streams_refuses_new_ones_and_cancels_what_the_engine_may_still_run() -> None:
    rig = Rig()
    async with rig.open() as stream:
        rig.deliver(stream.id, [1])
        await asyncio.sleep(0)
        rig.client.suspend(Draining)
        assert len(await stream.read()) == 1
        rig.deliver(stream.id, [2], END)  # too late
        await asyncio.sleep(0)
        with pytest.raises(Draining):
            await stream.read()
        with pytest.raises(Draining):
            await rig.open().__aenter__()
    assert [type(message) for message in rig.inbox.messages] == [Submit, Cancel]
    assert rig.client.admission.inside == 0
    rig.client.resume()
    async with rig.open():
        assert rig.client.admission.inside == 1


async def test_a_stream_that_has_ended_keeps_its_end_when_its_client_is_suspended() -> None:
    rig = Rig()
    async with rig.open() as stream:
        rig.deliver(stream.id, [1], END)
        await asyncio.sleep(0)
        rig.client.suspend(Draining)
        assert len(await stream.read()) == 1
        assert await stream.read() == []
        assert stream.finished == END
    assert [type(message) for message in rig.inbox.messages] == [Submit]


def submitted(rig: Rig) -> SampledSequence:
    """The engine's side of the stream that was opened."""
    (submit,) = (message for message in rig.inbox.messages if isinstance(message, Submit))
    assert isinstance(submit.sequence, SampledSequence)
    return submit.sequence


async def test_who_asked_is_told_at_the_end_how_far_the_request_came() -> None:
    rig, observer = Rig(), Observer()
    rig.now = 10.0
    async with rig.open(observer) as stream:
        sequence = submitted(rig)
        assert sequence.trace_id == "abc"
        sequence.admitted_at, sequence.first_token_at = 11.0, 12.0
        rig.deliver(stream.id, [1, 2], Finished(FinishReason.LENGTH, 2, -1.0, 1.0, 2.0, 5.0))
        while await stream.read():
            assert observer.told == []
    assert observer.told == [Milestones(arrived=10.0, admitted=11.0, first_token=12.0, done=15.0)]


async def test_a_request_that_was_given_up_was_never_done() -> None:
    rig, observer = Rig(), Observer()
    rig.now = 10.0
    async with rig.open(observer):
        submitted(rig).admitted_at = 11.0
    assert observer.told == [Milestones(arrived=10.0, admitted=11.0)]


def test_greedy_translation_passes_over_a_token_that_completes_a_repetition() -> None:
    request = TranslationRequest(
        source=(4,), beam_size=1, length_penalty=0.6, max_tokens=20, include_attention=False, deadline=99.0
    )
    sequence = SampledSequence(1, request, 0.0, digits(), 2)
    sequence.rows, sequence.next_tokens = [0], [1]
    given = []
    for drawn in (7, 8, 9, 7, 8, 9, 5):
        arrays = {"top_tokens": np.array([[drawn, 6]]), "top_logprobs": np.array([[-0.5, -2.0]], np.float32)}
        assert sequence.accept(StepResults([drawn], [-0.5], arrays, [])) is None
        given.append(sequence.next_tokens[0])
        assert not sequence.steady  # it is looked at after every step
        assert sequence.steered is (given[-1] != drawn)
    assert given == [7, 8, 9, 7, 8, 6, 5]
    assert sequence.score == pytest.approx(6 * -0.5 - 2.0)
