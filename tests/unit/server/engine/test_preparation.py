"""When a preparation is due: a run of several steps ends there."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from tests.unit.server.engine.toy import ToyPrefill

from ostinato_server.engine.preparation import BUSY_CHUNK, BUSY_SHARE, PromptReading, SourceEncoding
from ostinato_server.engine.request import GenerationRequest, SamplingParameters, TranslationRequest
from ostinato_server.engine.sequence import SampledSequence
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
    return SampledSequence(1, request, 0.0, str, None)


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


def test_sentence_is_due_at_once() -> None:
    encoding = SourceEncoding(Encoder(), 1, 1, start_id=1, padding_id=0)
    assert encoding.due_at == math.inf
    request = TranslationRequest(
        source=(4, 5), beam_size=1, length_penalty=1.0, max_tokens=3, include_attention=False, deadline=math.inf
    )
    encoding.begin(SampledSequence(1, request, 0.0, str, 2))
    assert encoding.due_at == -math.inf
    encoding.advance(busy=True)
    assert encoding.due_at == math.inf
