"""What an operator sees: models, health, reflection, metrics, start and stop."""

import time
from itertools import chain
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tests.integration.harness import CALL_SECONDS, RunningServer, fold, generate, serving, together, violation

from ostinato.v1 import generation_pb2, models_pb2, sentiment_pb2, translation_pb2
from ostinato_server.app import COUNTED, SERVICES
from ostinato_server.errors import DeviceUnavailable, StartupError
from ostinato_server.metrics import OUTCOMES
from ostinato_server.rpc.access import INFERENCE
from ostinato_server.rpc.health import LIVENESS

MODELS = ["char-lm", "sentiment", "translation-en-fr"]


def ask(max_tokens: int = 50) -> generation_pb2.GenerateRequest:
    return generation_pb2.GenerateRequest(
        model="char-lm",
        prompt="The cat",
        sampling=generation_pb2.SamplingParameters(seed=1),
        stopping=generation_pb2.StoppingParameters(max_tokens=max_tokens),
    )


def test_models_are_listed_with_limits_tokenizer_and_signatures(server: RunningServer) -> None:
    models = server.models.ListModels(models_pb2.ListModelsRequest()).models
    assert [(model.name, model.version, model.device) for model in models] == [(name, 1, "cpu") for name in MODELS]
    assert [model.runtime for model in models] == ["onnx-int8"] * 3
    assert [model.task for model in models] == [
        models_pb2.TASK_GENERATION,
        models_pb2.TASK_SENTIMENT,
        models_pb2.TASK_TRANSLATION,
    ]
    for model in models:
        assert model.limits.max_text_characters > 0
        assert model.tokenizer.vocabulary_size > 1
        assert all(tensor.shape[0] == -1 for graph in model.graphs for tensor in graph.inputs)
        assert server.models.GetModel(models_pb2.GetModelRequest(model=model.name)).model == model


def test_unknown_model_is_not_found_and_a_missing_name_is_invalid(server: RunningServer) -> None:
    for name, code in (("nobody", grpc.StatusCode.NOT_FOUND), ("", grpc.StatusCode.INVALID_ARGUMENT)):
        with pytest.raises(grpc.RpcError) as caught:
            server.models.GetModel(models_pb2.GetModelRequest(model=name))
        assert caught.value.code() == code


def test_health_is_serving_for_every_service(server: RunningServer) -> None:
    for service in ("", *SERVICES):
        assert server.health(service) == health_pb2.HealthCheckResponse.SERVING


def test_health_lists_every_service_and_model(server: RunningServer) -> None:
    messages: Any = health_pb2  # whose type stubs lack List
    ask_all = server.channel.unary_unary(
        "/grpc.health.v1.Health/List",
        request_serializer=messages.HealthListRequest.SerializeToString,
        response_deserializer=messages.HealthListResponse.FromString,
    )
    statuses = ask_all(messages.HealthListRequest(), timeout=CALL_SECONDS).statuses
    serving_all = dict.fromkeys(("", LIVENESS, *SERVICES, *MODELS), health_pb2.HealthCheckResponse.SERVING)
    assert {name: each.status for name, each in statuses.items()} == serving_all


@pytest.mark.parametrize("method", ["/grpc.health.v1.Health/Check", "/inference.GRPCInferenceService/ServerReady"])
def test_health_that_cannot_be_read_is_an_invalid_argument(server: RunningServer, method: str) -> None:
    on_bytes: Any = server.channel.unary_unary(method)
    with pytest.raises(grpc.RpcError) as caught:
        on_bytes(b"\xff", timeout=CALL_SECONDS)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert violation(caught.value) == ("request", "must be a well-formed message whose strings are UTF-8")


def test_reflection_tells_the_services_when_it_is_turned_on(repository: Path) -> None:
    with serving(repository, reflection=True) as running:
        services = ProtoReflectionDescriptorDatabase(running.channel).get_services()
    assert set(services) == {*SERVICES, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}


def test_reflection_is_off_by_default(server: RunningServer) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        ProtoReflectionDescriptorDatabase(server.channel).get_services()
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_scrape_after_real_calls_shows_them(repository: Path) -> None:
    with serving(repository) as running:
        text = generate(running, ask(50)).text
        running.sentiment.Classify(sentiment_pb2.ClassifyRequest(model="sentiment", text="good"), timeout=CALL_SECONDS)
        request = translation_pb2.TranslateRequest(model="translation-en-fr", text="a cat", max_tokens=5)
        *_, last = running.translation.Translate(request, timeout=CALL_SECONDS)
        with pytest.raises(grpc.RpcError):
            generate(running, ask(0))
        samples = running.scrape()

    def value(name: str, **labels: str) -> float:
        return samples[f"ostinato_{name}", tuple(sorted(labels.items()))]

    assert len(text) == 50
    assert value("generated_tokens_total", model="char-lm") == 50
    assert value("prompt_tokens_total", model="char-lm") == 7
    assert value("time_to_first_token_seconds_count", model="char-lm") == 1
    assert value("inter_token_latency_seconds_count", model="char-lm") == 49
    assert value("inter_token_latency_seconds_bucket", model="char-lm", le="+Inf") == 49
    assert value("request_queue_time_seconds_count", model="char-lm") == 1
    assert value("step_duration_seconds_count", model="char-lm") == 50
    assert value("batch_size_sum", model="char-lm") == 50
    assert value("e2e_request_latency_seconds_count", model="char-lm") == 2
    assert value("requests_total", model="char-lm", task="generation", outcome="ok") == 1
    assert value("requests_total", model="char-lm", task="generation", outcome="invalid") == 1
    assert value("requests_total", model="sentiment", task="sentiment", outcome="ok") == 1
    assert value("generated_tokens_total", model="translation-en-fr") == last.summary.target_tokens
    for model in MODELS:
        assert value("requests_running", model=model) == 0
        assert value("requests_waiting", model=model) == 0
    method = "/ostinato.v1.GenerationService/Generate"
    for code in ("OK", "INVALID_ARGUMENT"):
        assert value("rpc_duration_seconds_count", method=method, code=code) == 1
    edges = sorted({float(dict(labels)["le"]) for name, labels in samples if name.endswith("latency_seconds_bucket")})
    assert edges[0] == pytest.approx(1e-4)
    assert edges[1] == pytest.approx(1.5e-4)


def test_what_a_server_may_count_is_0_before_it_does(repository: Path) -> None:
    with serving(repository) as fresh:
        samples = fresh.scrape()
    requests = {
        (dict(labels)["model"], dict(labels)["outcome"]): value
        for (name, labels), value in samples.items()
        if name == "ostinato_requests_total"
    }
    assert requests == {(model, outcome): 0 for model in MODELS for outcome in OUTCOMES}
    calls = {
        (dict(labels)["method"], dict(labels)["code"]): value
        for (name, labels), value in samples.items()
        if name == "ostinato_rpc_duration_seconds_count"
    }
    codes = ("RESOURCE_EXHAUSTED", "INTERNAL")
    expected = {(method, "OK") for method in COUNTED} | {(method, code) for method in INFERENCE for code in codes}
    assert calls == dict.fromkeys(expected, 0)


def test_stopping_server_finishes_its_streams_and_refuses_new_ones(repository: Path) -> None:
    with serving(repository, window=4) as running:
        streaming = running.generation.Generate(ask(400), timeout=CALL_SECONDS)
        first = next(streaming)
        wait = running.begin_stop()
        while running.health() != health_pb2.HealthCheckResponse.NOT_SERVING:
            pass
        with pytest.raises(grpc.RpcError) as caught:
            generate(running, ask(1))
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE

        assert len(fold(chain([first], streaming)).text) == 400
        wait()


def test_stopping_server_cuts_off_what_outlasts_the_grace_period(repository: Path) -> None:
    with serving(repository, window=1, grace_seconds=0.1) as running:
        streaming = running.generation.Generate(ask(10_000), timeout=CALL_SECONDS)
        next(streaming)
        started = time.monotonic()
        running.begin_stop()()
        with pytest.raises(grpc.RpcError):
            list(streaming)
        assert time.monotonic() - started < CALL_SECONDS


def test_streams_of_all_models_run_side_by_side(server: RunningServer) -> None:
    def classify() -> str:
        request = sentiment_pb2.ClassifyRequest(model="sentiment", text="a good film")
        return str(server.sentiment.Classify(request, timeout=CALL_SECONDS))

    def continue_prompt() -> str:
        return generate(server, ask(100)).text

    text, *scores = together([continue_prompt, *[classify] * 8])
    assert len(text) == 100
    assert scores == [classify()] * 8


def test_repository_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="holds no model"), serving(tmp_path):
        pass


def test_missing_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"cannot be read: .+: is no folder"), serving(tmp_path / "nowhere"):
        pass


def test_cuda_on_a_machine_without_it_is_refused_clearly(repository: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(DeviceUnavailable, match="no CUDA device is visible"), serving(repository, device="cuda"):
        pass


def test_int8_on_cuda_is_refused_clearly(repository: Path) -> None:
    with (
        pytest.raises(DeviceUnavailable, match="onnx-int8 runs on the CPU only"),
        serving(repository, device="cuda", runtime="onnx-int8"),
    ):
        pass


def test_taken_port_is_refused(server: RunningServer, repository: Path) -> None:
    port = int(server.address.rsplit(":", 1)[1])
    with pytest.raises(StartupError, match=f"cannot listen on 127.0.0.1:{port}"), serving(repository, port=port):
        pass
