"""A runtime that throws, stalls or loses its numbers under a real server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2
from tests.integration.harness import (
    CALL_SECONDS,
    RunningServer,
    continued,
    fold,
    generate,
    retry_seconds,
    serving,
    together,
)

from ostinato.inference import grpc_service_pb2
from ostinato.v1 import generation_pb2, sentiment_pb2, translation_pb2
from ostinato_server.rpc.health import LIVENESS
from ostinato_server.runtime.onnx import OnnxGraph, OnnxStepTable

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
STALL_SECONDS = 0.5
PROBES = ("/healthz", "/readyz", "/readyz/char-lm", "/readyz/sentiment")


class Sabotage:
    """Breaks what the server's runtime does, once it is told how."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.act: Callable[[Any], None] | None = None
        self.released = threading.Event()
        for kind, name in ((OnnxStepTable, "step"), (OnnxStepTable, "run"), (OnnxGraph, "run")):
            monkeypatch.setattr(kind, name, self._wrapped(getattr(kind, name)))

    def throw(self, _: object) -> None:
        raise RuntimeError("sabotaged")

    def stall(self, _: object) -> None:
        self.released.wait(CALL_SECONDS)

    def once(self, act: Callable[[Any], None]) -> None:
        """Breaks the next piece of work only."""

        def first(runtime: object) -> None:
            self.act = None
            act(runtime)

        self.act = first

    def mend(self) -> None:
        self.act = None
        self.released.set()

    def _wrapped(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def run(runtime: object, *arguments: Any) -> Any:
            if self.act is not None:
                self.act(runtime)
            return inner(runtime, *arguments)

        return run


@pytest.fixture
def sabotage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sabotage]:
    saboteur = Sabotage(monkeypatch)
    yield saboteur
    saboteur.mend()


@pytest.fixture
def shaky(repository: Path, sabotage: Sabotage) -> Iterator[RunningServer]:
    with serving(repository, stall_seconds=STALL_SECONDS) as running:
        yield running
        sabotage.mend()


def ask(seed: int, characters: int = 400) -> generation_pb2.GenerateRequest:
    request = continued(characters)
    request.sampling.seed = seed
    return request


def ended(call: Callable[[], object]) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def value(server: RunningServer, name: str, **labels: str) -> float:
    return server.scrape()[f"ostinato_{name}", tuple(sorted(labels.items()))]


def classify(server: RunningServer) -> sentiment_pb2.ClassifyResponse:
    request = sentiment_pb2.ClassifyRequest(model="sentiment", text="a good film")
    response: sentiment_pb2.ClassifyResponse = server.sentiment.Classify(request, timeout=CALL_SECONDS)
    return response


def translate(server: RunningServer) -> str:
    request = translation_pb2.TranslateRequest(model="translation-en-fr", text="a cat", max_tokens=5)
    return str(list(server.translation.Translate(request, timeout=CALL_SECONDS))[-1].summary.text)


def probe(server: RunningServer, path: str) -> int:
    """Status of a path of the metrics port."""
    try:
        with urlopen(server.metrics_url.removesuffix("/metrics") + path, timeout=CALL_SECONDS) as response:
            return int(response.status)
    except HTTPError as error:
        error.close()
        return error.code


def watch(server: RunningServer, service: str) -> Iterator[int]:
    """The statuses that ``grpc.health.v1`` tells of a service, as they change."""
    call = server.channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )(health_pb2.HealthCheckRequest(service=service), timeout=CALL_SECONDS)
    return (response.status for response in call)


def test_a_step_that_throws_ends_its_streams_with_internal_and_the_next_ones_are_as_ever(
    shaky: RunningServer, sabotage: Sabotage
) -> None:
    whole = generate(shaky, ask(1)).text
    sabotage.once(sabotage.throw)
    failed = ended(lambda: generate(shaky, ask(1)))
    assert failed.code() is grpc.StatusCode.INTERNAL
    assert "char-lm" in str(failed.details())
    assert "sabotaged" not in str(failed.details())
    assert generate(shaky, ask(1)).text == whole
    assert value(shaky, "engine_faults_total", model="char-lm", kind="exception") == 1
    assert shaky.health() == SERVING


def test_a_row_that_loses_its_cell_state_fails_and_its_neighbours_come_out_whole(
    shaky: RunningServer, sabotage: Sabotage
) -> None:
    """The graph is int8: quantization makes numbers of what is none, and no log-probability shows it."""
    seeds = range(4)
    whole = together([lambda seed=seed: generate(shaky, ask(seed)).text for seed in seeds])  # type: ignore[misc]
    lost = threading.Event()

    def lose(table: object) -> None:
        if isinstance(table, OnnxStepTable) and not lost.is_set() and begun.is_set():
            lost.set()
            cell = table._state.changed()[1]
            cell[0] = np.nan

    begun = threading.Event()
    sabotage.act = lose

    def outcome(seed: int) -> str | grpc.StatusCode:
        stream = shaky.generation.Generate(ask(seed), timeout=CALL_SECONDS)
        try:
            first = next(stream)
            begun.set()
            return fold(iter([first, *stream])).text
        except grpc.RpcError as error:
            return error.code()

    outcomes = together([lambda seed=seed: outcome(seed) for seed in seeds])  # type: ignore[misc]
    assert outcomes.count(grpc.StatusCode.INTERNAL) == 1
    for seed in seeds:
        assert outcomes[seed] in (whole[seed], grpc.StatusCode.INTERNAL)
    assert value(shaky, "engine_faults_total", model="char-lm", kind="not_finite") == 1


@pytest.mark.parametrize("call", [classify, translate])
def test_the_other_tasks_fail_and_recover_alike(
    shaky: RunningServer, sabotage: Sabotage, call: Callable[[RunningServer], object]
) -> None:
    whole = call(shaky)
    sabotage.once(sabotage.throw)
    assert ended(lambda: call(shaky)).code() is grpc.StatusCode.INTERNAL
    assert call(shaky) == whole


def test_a_text_without_finite_scores_is_internal(shaky: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = classify(shaky)
    with monkeypatch.context() as patched:
        patched.setattr(OnnxGraph, "run", lambda *_: {"probabilities": np.full((1, 2), np.nan, np.float32)})
        assert ended(lambda: classify(shaky)).code() is grpc.StatusCode.INTERNAL
    assert classify(shaky) == whole
    assert value(shaky, "engine_faults_total", model="sentiment", kind="not_finite") == 1


def test_a_stalled_engine_is_unhealthy_refuses_and_comes_back(shaky: RunningServer, sabotage: Sabotage) -> None:
    whole = generate(shaky, ask(1)).text
    model = watch(shaky, "char-lm")
    assert next(model) == SERVING
    sabotage.once(sabotage.stall)

    stuck = ended(lambda: list(shaky.generation.Generate(ask(1))))  # without a deadline
    assert next(model) == NOT_SERVING
    assert stuck.code() is grpc.StatusCode.UNAVAILABLE
    assert "stalled" in str(stuck.details())
    refused = ended(lambda: generate(shaky, ask(2)))
    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    assert retry_seconds(refused) > 0
    assert [shaky.health(name) for name in ("sentiment", "", LIVENESS)] == [SERVING] * 3
    assert classify(shaky).score.positive_probability > 0
    assert shaky.inference.ServerLive(grpc_service_pb2.ServerLiveRequest()).live
    assert shaky.inference.ServerReady(grpc_service_pb2.ServerReadyRequest()).ready
    assert [probe(shaky, path) for path in PROBES] == [200, 200, 503, 200]
    assert value(shaky, "model_ready", model="char-lm") == 0
    ready = grpc_service_pb2.ModelReadyRequest
    assert not shaky.inference.ModelReady(ready(name="char-lm")).ready
    assert shaky.inference.ModelReady(ready(name="sentiment")).ready
    assert value(shaky, "engines_unhealthy", model="char-lm", kind="stalled") == 1

    sabotage.mend()
    assert next(model) == SERVING
    assert [probe(shaky, path) for path in PROBES] == [200] * 4
    assert value(shaky, "model_ready", model="char-lm") == 1
    assert generate(shaky, ask(1)).text == whole
    assert shaky.inference.ServerLive(grpc_service_pb2.ServerLiveRequest()).live
    assert shaky.inference.ModelReady(ready(name="char-lm")).ready
    assert value(shaky, "engines_unhealthy", model="char-lm", kind="stalled") == 0
    assert value(shaky, "engine_faults_total", model="char-lm", kind="stalled") == 1
    assert value(shaky, "requests_running", model="char-lm") == 0


def test_an_engine_that_cannot_work_is_unhealthy_until_it_can(shaky: RunningServer, sabotage: Sabotage) -> None:
    health = watch(shaky, "sentiment")
    assert next(health) == SERVING
    sabotage.act = sabotage.throw
    assert ended(lambda: classify(shaky)).code() is grpc.StatusCode.INTERNAL
    assert next(health) == NOT_SERVING
    assert ended(lambda: classify(shaky)).code() is grpc.StatusCode.UNAVAILABLE
    sabotage.mend()
    assert next(health) == SERVING
    assert classify(shaky).score.positive_probability > 0


def test_an_engine_whose_thread_is_gone_is_unhealthy_for_good(shaky: RunningServer, sabotage: Sabotage) -> None:
    health = watch(shaky, LIVENESS)
    assert next(health) == SERVING

    def leave(_: object) -> None:
        raise SystemExit

    sabotage.once(leave)
    failed = ended(lambda: generate(shaky, ask(1)))
    assert failed.code() is grpc.StatusCode.UNAVAILABLE
    assert "ended" in str(failed.details())
    assert next(health) == NOT_SERVING
    assert ended(lambda: generate(shaky, ask(1))).code() is grpc.StatusCode.UNAVAILABLE
    assert classify(shaky).score.positive_probability > 0
    assert [shaky.health(name) for name in ("", "char-lm", "sentiment")] == [SERVING, NOT_SERVING, SERVING]
    assert [probe(shaky, path) for path in PROBES] == [503, 200, 503, 200]
    assert not shaky.inference.ServerLive(grpc_service_pb2.ServerLiveRequest()).live
    assert shaky.inference.ServerReady(grpc_service_pb2.ServerReadyRequest()).ready


def test_probes_are_answered_while_the_event_loop_is_busy(repository: Path) -> None:
    free = threading.Event()
    with serving(repository) as running:

        async def hold() -> None:
            held.set()
            free.wait(CALL_SECONDS)

        held = threading.Event()
        holding = threading.Thread(target=running.wait, args=(hold(),))
        holding.start()
        assert held.wait(CALL_SECONDS)
        assert [probe(running, path) for path in PROBES] == [200] * 4
        free.set()
        holding.join()


def test_streams_that_outlast_the_grace_period_are_told_to_go_elsewhere(repository: Path) -> None:
    with serving(repository, window=1_000_000, grace_seconds=0.0) as running:
        stream = running.generation.Generate(ask(1, 10_000), timeout=CALL_SECONDS)
        next(stream)
        wait = running.begin_stop()
        cut = ended(lambda: list(stream))
        wait()
    assert cut.code() is grpc.StatusCode.UNAVAILABLE
    assert "shutting down" in str(cut.details())
