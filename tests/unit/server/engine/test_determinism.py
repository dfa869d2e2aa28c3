"""The same request gives the same bits, whatever else the engine does: real graphs of tiny models, no network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.bundles import build_tiny_bundle
from tests.unit.server.engine.rig import Counts, digits

from ostinato_bundle import Bundle, open_bundle
from ostinato_bundle.manifest import Task
from ostinato_server.engine import preparation
from ostinato_server.engine.batch import Batch
from ostinato_server.engine.decode import LONGEST_RUN, Cancel, DecodeEngine, Grant, Submit
from ostinato_server.engine.outbox import Delivery, Outbox
from ostinato_server.engine.preparation import Preparation, PromptReading, SourceEncoding
from ostinato_server.engine.request import (
    Alternative,
    Finished,
    FinishReason,
    GeneratedToken,
    GenerationRequest,
    SamplingParameters,
    TranslationRequest,
)
from ostinato_server.engine.sequence import BeamSequence, EngineSequence, SampledSequence
from ostinato_server.runtime.base import GraphRunner, StepTable
from ostinato_server.runtime.select import open_backend

CAPACITY = 12
PLENTY = 1_000_000
START, END = 1, 2
"""Bounds of the tiny translator's sentences."""

Request = GenerationRequest | TranslationRequest
Told = tuple[int, str, float, tuple[Alternative, ...], bytes | None]
Answer = tuple[list[Told], FinishReason, float]
"""Every token with all that is told of it, why the stream ended, and its score."""


@dataclass(frozen=True)
class Way:
    """How an engine works; none of it may show in what it gives.

    Attributes:
        capacity: Rows that streams may take together.
        threads: Threads of a step.
        chunks: Tokens of a long prompt read in one go, when busy and when idle; none to read every prompt in steps.
        message_seconds: What a message costs: nothing for a step at a time, much for as many in one run as may be.
    """

    capacity: int
    threads: int = 1
    chunks: tuple[int, int] | None = None
    message_seconds: float = 0.0


@dataclass(frozen=True)
class Opened:
    """A tiny model's graphs in one runtime, on one and on two threads."""

    bundle: Bundle
    artifact: str
    tables: dict[int, StepTable]
    readers: dict[int, GraphRunner]

    @property
    def translates(self) -> bool:
        return self.bundle.manifest.task == "translation"

    def engine(self, way: Way) -> Driven:
        """An engine on these graphs."""
        if self.artifact == "torchscript":
            torch.set_num_threads(way.threads)
        return Driven(self, self.tables[way.threads], self.readers[way.threads], way)


class Driven:
    """An engine that the test turns by hand, on a clock that goes on by the same whenever it is looked at."""

    def __init__(self, opened: Opened, table: StepTable, reader: GraphRunner, way: Way) -> None:
        self._opened = opened
        self._chunks = way.chunks or (1, 1)
        self._tokens: dict[int, list[GeneratedToken]] = defaultdict(list)
        self._ends: dict[int, Finished | Exception] = {}
        self._clock = count(1.0, 1e-4).__next__
        self.counts = Counts()
        self.engine = DecodeEngine(
            "tiny",
            Batch(table, opened.bundle.manifest.tokenizer.vocabulary_size),
            self._preparation(reader if way.chunks or opened.translates else None),
            way.capacity,
            Outbox(way.message_seconds),
            self._deliver,
            self.counts,
            lambda: None,
            self._clock,
        )

    def submit(self, number: int, request: Request, credit: int = PLENTY) -> None:
        self.engine.handle(Submit(self._sequence(number, request), credit))

    def run(self, cycles: int = 1_000_000) -> None:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(preparation, "BUSY_CHUNK", self._chunks[0])
            patched.setattr(preparation, "IDLE_CHUNK", self._chunks[1])
            for _ in range(cycles):
                if not self.engine.cycle():
                    return

    def answer(self, number: int) -> Answer:
        end = self._ends[number]
        assert isinstance(end, Finished)
        tokens = [
            (*token[:4], None if token.attention is None else token.attention.tobytes())
            for token in self._tokens[number]
        ]
        return tokens, end.reason, end.score

    def _deliver(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._tokens[delivery.stream_id].extend(delivery.tokens)
            if delivery.end is not None:
                self._ends[delivery.stream_id] = delivery.end

    def _preparation(self, reader: GraphRunner | None) -> Preparation:
        step = self._opened.bundle.manifest.graphs["step"]
        if self._opened.translates:
            assert reader is not None
            return SourceEncoding(reader, len(step.memory), len(step.state), START, 0)
        return PromptReading(reader, tuple(tensor.shape[1:] for tensor in step.state), None, self._clock)

    def _sequence(self, number: int, request: Request) -> EngineSequence:
        if isinstance(request, TranslationRequest) and request.beam_size > 1:
            return BeamSequence(number, request, 1.0, digits(), END)
        return SampledSequence(number, request, 1.0, digits(), END if isinstance(request, TranslationRequest) else None)


@cache
def opened(artifact: str, task: Task, folder: Path) -> Opened:
    path = folder / task
    bundle = open_bundle(next(path.glob("*/*")) if path.exists() else build_tiny_bundle(path, task))
    backends = {threads: open_backend(bundle, "cpu", artifact, threads) for threads in (1, 2)}
    reader = "prefill" if task == "generation" else "encoder"
    return Opened(
        bundle,
        artifact,
        {threads: backend.step_table("step", CAPACITY) for threads, backend in backends.items()},
        {threads: backend.graph(reader) for threads, backend in backends.items()},
    )


@pytest.fixture(params=["onnx-int8", "onnx", "torchscript"])
def artifact(request: pytest.FixtureRequest) -> Iterator[str]:
    yield request.param
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


def alone(model: Opened, request: Request) -> Answer:
    """The reference: nothing beside it, no more slots than it takes, one thread, everything a step at a time."""
    driven = model.engine(Way(request.beam_size if isinstance(request, TranslationRequest) else 1))
    driven.submit(0, request)
    driven.run()
    return driven.answer(0)


GENERATION = st.builds(
    GenerationRequest,
    prompt=st.lists(st.integers(0, 60), min_size=1, max_size=70).map(tuple),
    sampling=st.builds(
        SamplingParameters,
        temperature=st.sampled_from([0.0, 0.5, 1.0, 1.7]),
        top_k=st.sampled_from([0, 1, 5]),
        top_p=st.sampled_from([0.3, 0.9, 1.0]),
        seed=st.integers(0, 2**64 - 1),
    ),
    max_tokens=st.integers(1, 24),
    top_alternatives=st.sampled_from([0, 3]),
    deadline=st.just(float("inf")),
)
TRANSLATION = st.builds(
    TranslationRequest,
    source=st.lists(st.integers(3, 200), min_size=1, max_size=40).map(tuple),
    beam_size=st.sampled_from([1, 1, 2, 4]),
    length_penalty=st.sampled_from([0.0, 0.6]),
    max_tokens=st.integers(1, 12),
    include_attention=st.booleans(),
    deadline=st.just(float("inf")),
)
WAYS = st.builds(
    Way,
    capacity=st.integers(4, CAPACITY),
    threads=st.sampled_from([1, 2]),
    chunks=st.none() | st.tuples(st.integers(1, 40), st.integers(1, 80)),
    message_seconds=st.sampled_from([0.0, 2e-3, 1e6]),
)
KEPT = settings(max_examples=10, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


def run_together(driven: Driven, requests: Sequence[Request], data: st.DataObject) -> list[int]:
    """Lets requests come, lag, be granted more and be cancelled in any order; gives those that were not cancelled."""
    kept = list(range(len(requests)))
    for number, request in enumerate(requests):
        driven.submit(number, request, data.draw(st.integers(1, 20), "credit"))
        driven.run(data.draw(st.integers(0, 6), "cycles"))
    for number in data.draw(st.lists(st.sampled_from(kept), max_size=2, unique=True), "cancelled"):
        driven.engine.handle(Cancel(number))
        kept.remove(number)
    for number in data.draw(st.permutations(kept), "granted"):
        driven.run(data.draw(st.integers(0, 8), "cycles"))
        driven.engine.handle(Grant(number, PLENTY))
    driven.run()
    return kept


@KEPT
@given(requests=st.lists(GENERATION, min_size=1, max_size=8), way=WAYS, data=st.data())
def test_stream_has_the_bits_of_its_request_alone_whatever_happens_to_it_and_beside_it(
    artifact: str, folder: Path, requests: list[GenerationRequest], way: Way, data: st.DataObject
) -> None:
    model = opened(artifact, "generation", folder)
    expected = [alone(model, request) for request in requests]
    driven = model.engine(way)
    for number in run_together(driven, requests, data):
        assert driven.answer(number) == expected[number]


@KEPT
@given(request=GENERATION, others=st.lists(GENERATION, max_size=4), way=WAYS, share=st.floats(0, 1), data=st.data())
def test_stream_taken_up_from_what_was_received_goes_on_with_the_same_bits(
    artifact: str,
    folder: Path,
    request: GenerationRequest,
    others: list[GenerationRequest],
    way: Way,
    share: float,
    data: st.DataObject,
) -> None:
    model = opened(artifact, "generation", folder)
    tokens, reason, _ = alone(model, request)
    received = int(share * (len(tokens) - 1))
    rest = replace(request, resumed=tuple(token[0] for token in tokens[:received]))
    driven = model.engine(way)
    if 0 in run_together(driven, [rest, *others], data):
        assert driven.answer(0)[:2] == (tokens[received:], reason)


@KEPT
@given(requests=st.lists(TRANSLATION, min_size=1, max_size=6), way=WAYS, data=st.data())
def test_translation_has_the_bits_of_its_sentence_alone_attention_too(
    artifact: str, folder: Path, requests: list[TranslationRequest], way: Way, data: st.DataObject
) -> None:
    model = opened(artifact, "translation", folder)
    expected = [alone(model, request) for request in requests]
    driven = model.engine(way)
    for number in run_together(driven, requests, data):
        assert driven.answer(number) == expected[number]


@pytest.mark.parametrize("threads", [1, 2])
def test_streams_resumed_together_go_on_with_the_same_bits(artifact: str, folder: Path, threads: int) -> None:
    model = opened(artifact, "generation", folder)
    requests = [
        GenerationRequest(
            prompt=(3, number),
            sampling=SamplingParameters(temperature=0.8, seed=number),
            max_tokens=180,
            deadline=float("inf"),
        )
        for number in range(5)
    ]
    texts = [alone(model, request)[0] for request in requests]
    received = [170, 45, 100, 101, 0]
    driven = model.engine(Way(CAPACITY, threads=threads, chunks=(8, 64)))
    for number, (request, tokens) in enumerate(zip(requests, texts, strict=True)):
        driven.submit(number, replace(request, resumed=tuple(token[0] for token in tokens[: received[number]])))
    driven.run()
    assert [driven.answer(number)[0] for number in range(5)] == [
        tokens[count:] for tokens, count in zip(texts, received, strict=True)
    ]


def test_the_reference_makes_single_steps_and_the_others_runs_of_several(artifact: str, folder: Path) -> None:
    longest = []
    for message_seconds in (0.0, 1e6):
        request = GenerationRequest(prompt=(3,), sampling=SamplingParameters(), max_tokens=40, deadline=float("inf"))
        driven = opened(artifact, "generation", folder).engine(Way(1, message_seconds=message_seconds))
        driven.submit(0, request)
        driven.run()
        longest.append(max(driven.counts.runs))
    assert longest == [1, LONGEST_RUN]
