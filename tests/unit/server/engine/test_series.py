from __future__ import annotations

import asyncio

import pytest
from tests.unit.server.engine.rig import digits

from ostinato_server.engine.admission import Admission
from ostinato_server.engine.decode import Cancel, Submit
from ostinato_server.engine.outbox import Delivery
from ostinato_server.engine.request import Finished, FinishReason, GeneratedToken, Milestones, TranslationRequest
from ostinato_server.engine.sequence import EngineSequence, SampledSequence
from ostinato_server.engine.series import StreamSeries
from ostinato_server.engine.stream import DecodeClient, MakeSequence
from ostinato_server.errors import EngineFault, EngineUnavailable, Overloaded

END = Finished(FinishReason.LENGTH, 2, -1.0, 0.0, 0.1, 0.2)


class Observer:
    """Keeps what it is told of a request."""

    sampled_trace_id = "abc"

    def __init__(self) -> None:
        self.told: list[Milestones] = []

    def went(self, milestones: Milestones) -> None:
        self.told.append(milestones)


class Rig:
    """A client whose engine is the test."""

    def __init__(self, *, slots: int = 8) -> None:
        self.messages: list[object] = []
        self.now = 10.0
        self.admission = Admission("m", slots, 0, lambda: self.now)
        self.client = DecodeClient(self.admission, 8, lambda: self.now)
        self.client.connect(self, asyncio.get_running_loop())  # type: ignore[arg-type]

    def post(self, message: object) -> None:
        self.messages.append(message)

    def series(self, count: int, at_once: int, observer: Observer | None = None) -> StreamSeries:
        return StreamSeries(self.client, [self._make(number) for number in range(count)], at_once, observer)

    @property
    def submitted(self) -> list[EngineSequence]:
        return [message.sequence for message in self.messages if isinstance(message, Submit)]

    @property
    def cancelled(self) -> list[int]:
        return [message.stream_id for message in self.messages if isinstance(message, Cancel)]

    def finish(self, sequence: EngineSequence, end: Finished | Exception = END) -> None:
        """Delivers a token that names the sequence's source, and its end."""
        sequence.admitted_at, sequence.first_token_at = self.now, self.now + 1
        token = GeneratedToken(0, str(sequence.source[0]), 0.0)
        self.client.deliver([Delivery(sequence.id, [token], end)])

    def _make(self, number: int) -> MakeSequence:
        request = TranslationRequest(
            source=(number,), beam_size=1, length_penalty=0.6, max_tokens=3, include_attention=False, deadline=99.0
        )
        return lambda stream_id, arrival: SampledSequence(stream_id, request, arrival, digits(), None)


async def test_streams_come_in_order_though_later_ones_end_first() -> None:
    rig = Rig()
    read = []
    async with rig.series(3, 3) as series:
        for sequence in reversed(rig.submitted):
            rig.finish(sequence)
        for stream in series:
            while tokens := await stream.read():
                read += [token.text for token in tokens]
    assert read == ["0", "1", "2"]


async def test_long_request_holds_no_more_places_than_it_was_admitted_with() -> None:
    rig = Rig()
    async with rig.series(100, 4) as series:
        for number, stream in enumerate(series):
            assert len(rig.submitted) == min(number + 4, 100)
            assert rig.admission.inside == min(4, 100 - number)
            rig.finish(rig.submitted[number])
            while await stream.read():
                pass
    assert rig.admission.inside == 0
    assert rig.cancelled == []


async def test_request_is_refused_before_its_first_sequence_and_not_in_its_middle() -> None:
    rig = Rig(slots=4)
    async with rig.series(6, 3) as series:
        with pytest.raises(Overloaded):
            await rig.series(2, 2).__aenter__()
        async with rig.series(1, 1):
            assert rig.admission.inside == rig.admission.limit
            for number, stream in enumerate(series):
                rig.finish(rig.submitted[number if number < 3 else number + 1])
                while await stream.read():
                    pass


async def test_request_that_is_given_up_leaves_nothing_behind() -> None:
    rig = Rig()
    async with rig.series(5, 2) as series:
        for stream in series:
            rig.finish(rig.submitted[0])
            await stream.read()
            break
    assert rig.admission.inside == 0
    assert len(rig.submitted) == 2
    assert rig.cancelled == [rig.submitted[1].id], "the first one has ended by itself"


async def test_error_of_a_sequence_ends_the_request() -> None:
    rig = Rig()

    async def read() -> None:
        async with rig.series(3, 2) as series:
            for stream in series:
                rig.finish(rig.submitted[0], EngineFault("m"))
                while await stream.read():
                    pass

    with pytest.raises(EngineFault):
        await read()
    assert rig.admission.inside == 0
    assert rig.cancelled == [rig.submitted[1].id]


async def test_suspended_engine_is_told_before_the_next_sequence() -> None:
    rig = Rig()

    async def read() -> None:
        async with rig.series(3, 1) as series:
            for stream in series:
                rig.finish(rig.submitted[0])
                while await stream.read():
                    pass
                rig.client.suspend(lambda: EngineUnavailable("m", "test"))

    with pytest.raises(EngineUnavailable):
        await read()
    assert rig.admission.inside == 0
    assert len(rig.submitted) == 1


async def test_observer_is_told_once_from_the_first_to_the_last_sequence() -> None:
    rig, observer = Rig(), Observer()
    async with rig.series(3, 1, observer) as series:
        for number, stream in enumerate(series):
            rig.finish(rig.submitted[number])
            while await stream.read():
                pass
            rig.now += 5
    assert observer.told == [Milestones(10.0, 10.0, 11.0, 20.0 + END.total_seconds)]
    assert [sequence.trace_id for sequence in rig.submitted] == ["abc"] * 3


async def test_request_without_sequences_asks_nothing_of_the_engine() -> None:
    rig, observer = Rig(), Observer()
    async with rig.series(0, 4, observer) as series:
        assert list(series) == []
    assert rig.messages == []
    assert observer.told == []
