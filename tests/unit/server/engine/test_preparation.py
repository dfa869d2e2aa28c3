"""When a preparation is due: a run of several steps ends there."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from tests.unit.server.engine.rig import digits
from tests.unit.server.engine.toy import ToyPrefill

from ostinato_server.engine.preparation import (
    BUSY_CHUNK,
    BUSY_SHARE,
    RESUMED_BATCH,
    RESUMED_CHUNK,
    RESUMED_SHARE,
    RESUMED_TOKENS,
    PromptReading,
    SourceEncoding,
)
from ostinato_server.engine.request import GenerationRequest, SamplingParameters, TranslationRequest
from ostinato_server.engine.sequence import EngineSequence, SampledSequence
from ostinato_server.runtime.base import Array


class Encoder:
    """Encodes everything as zeros."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        return {
            "memory_0": np.zeros((*inputs["tokens"].shape, 1)),
            "next_state_0": np.zeros((len(inputs["tokens"]), 1)),
        }


def prompt(length: int) -> SampledSequence:
    sampling = SamplingParameters()
    request = GenerationRequest(prompt=(1,) * length, sampling=sampling, max_tokens=1, deadline=math.inf)
    return SampledSequence(1, request, 0.0, digits(), None)


def test_short_prompt_is_due_at_once_and_a_long_one_at_its_turn() -> None:
    times = iter((10.0, 10.0, 11.0))  # whether it is its turn, the start, the end
    reading = PromptReading(ToyPrefill(), ((1,),), None, lambda: next(times))
    assert reading.due_at == math.inf
    reading.begin(prompt(10 * BUSY_CHUNK))
    assert reading.due_at < 10
    reading.advance(busy=True)
    assert reading.due_at == 11.0 + (1 / BUSY_SHARE - 1)
    reading.begin(prompt(9))
    assert reading.due_at == -math.inf


def resumed(prompt: int, generated: int) -> SampledSequence:
    request = GenerationRequest(
        prompt=(1,) * prompt,
        resumed=(2,) * generated,
        sampling=SamplingParameters(),
        max_tokens=5000,
        deadline=math.inf,
    )
    return SampledSequence(1, request, 0.0, digits(), None)


def test_texts_of_resumed_streams_are_read_together() -> None:
    prefill = ToyPrefill()
    reading = PromptReading(prefill, ((1,),), None, lambda: 0.0)
    lengths = (600, 400, 500, 90)
    for length in lengths:
        reading.begin(resumed(10, length))
    ready: list[EngineSequence] = []
    while len(reading):
        ready += reading.advance(busy=False)
    assert len(ready) == 4
    assert prefill.batches[0] == (4, RESUMED_CHUNK)
    assert len(prefill.batches) < sum(lengths) / RESUMED_CHUNK


def test_a_run_of_many_resumed_texts_reads_a_bounded_number_of_tokens() -> None:
    prefill = ToyPrefill()
    reading = PromptReading(prefill, ((1,),), None, lambda: 0.0)
    for _ in range(100):
        reading.begin(resumed(10, 1000))
    reading.advance(busy=True)
    assert prefill.batches == [(RESUMED_BATCH, RESUMED_TOKENS // RESUMED_BATCH)]


def test_resumed_texts_and_a_long_prompt_have_each_a_share_of_the_time_of_their_own() -> None:
    now = 10.0
    prefill = ToyPrefill()
    reading = PromptReading(prefill, ((1,),), None, lambda: now)

    def take_a_second() -> None:
        nonlocal now
        now += 1.0

    prefill.when_run = take_a_second
    reading.begin(prompt(1000))
    reading.begin(resumed(10, 1000))
    reading.advance(busy=True)
    assert prefill.batches == [(1, RESUMED_CHUNK), (1, BUSY_CHUNK)]
    first, second = 11.0 + (1 / RESUMED_SHARE - 1), 12.0 + (1 / BUSY_SHARE - 1)
    assert reading.due_at == first < second
    now = first
    reading.advance(busy=True)
    assert prefill.batches[2:] == [(1, RESUMED_CHUNK)]
    now = second
    reading.advance(busy=True)
    assert (1, BUSY_CHUNK) in prefill.batches[3:]


def test_sentence_is_due_at_once() -> None:
    encoding = SourceEncoding(Encoder(), 1, 1, start_id=1, padding_id=0)
    assert encoding.due_at == math.inf
    request = TranslationRequest(
        source=(4, 5), beam_size=1, length_penalty=1.0, max_tokens=3, include_attention=False, deadline=math.inf
    )
    encoding.begin(SampledSequence(1, request, 0.0, digits(), 2))
    assert encoding.due_at == -math.inf
    encoding.advance(busy=True)
    assert encoding.due_at == math.inf
