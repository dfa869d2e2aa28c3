"""Bearer tokens and roles, against the real server."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.certificates import issue, roots
from tests.integration.harness import CALL_SECONDS, RunningServer, continued, fold, serving

from ostinato.inference import grpc_service_pb2 as inference_pb2
from ostinato.v1 import generation_pb2, models_pb2, sentiment_pb2, translation_pb2
from ostinato_client import AsyncClient, Client, PermissionDenied, Unauthenticated, tls_credentials
from ostinato_client.cli.main import run
from ostinato_client.statuses import error_from_call
from ostinato_server.app import SERVICES
from ostinato_server.errors import StartupError
from ostinato_server.rpc.access import INFERENCE

ALICE, ROOT = "alice-secret", "root-secret"


def line(token: str, role: str, name: str) -> str:
    return f"{hashlib.sha256(token.encode()).hexdigest()} {role} {name}\n"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("access") / "tokens"
    path.touch(mode=0o600)
    path.write_text(line(ALICE, "infer", "alice") + line(ROOT, "admin", "root"))
    return path


@pytest.fixture(scope="module")
def guarded(repository: Path, tokens: Path) -> Iterator[RunningServer]:
    with serving(repository, auth_tokens=tokens, reflection=True) as server:
        yield server


def metadata(token: str | None) -> tuple[tuple[str, str], ...]:
    return () if token is None else (("authorization", f"Bearer {token}"),)


Method = Callable[[RunningServer, tuple[tuple[str, str], ...]], object]


def unary(service: str, method: str, request: Message) -> Method:
    def call(server: RunningServer, sent: tuple[tuple[str, str], ...]) -> object:
        return getattr(getattr(server, service), method)(request, timeout=CALL_SECONDS, metadata=sent)

    return call


def stream(service: str, method: str, request: Message) -> Method:
    def call(server: RunningServer, sent: tuple[tuple[str, str], ...]) -> object:
        return list(getattr(getattr(server, service), method)(request, timeout=CALL_SECONDS, metadata=sent))

    return call


def both(service: str, method: str, *requests: Message) -> Method:
    def call(server: RunningServer, sent: tuple[tuple[str, str], ...]) -> object:
        return list(getattr(getattr(server, service), method)(iter(requests), timeout=CALL_SECONDS, metadata=sent))

    return call


INFER = inference_pb2.ModelInferRequest(
    model_name="sentiment",
    inputs=[
        inference_pb2.ModelInferRequest.InferInputTensor(
            name="text",
            datatype="BYTES",
            shape=[1],
            contents=inference_pb2.InferTensorContents(bytes_contents=[b"good"]),
        )
    ],
)


def infer_stream(server: RunningServer, sent: tuple[tuple[str, str], ...]) -> object:
    return list(server.inference.ModelStreamInfer(iter([INFER]), timeout=CALL_SECONDS, metadata=sent))


METHODS: dict[str, Method] = {
    "/ostinato.v1.GenerationService/Generate": stream("generation", "Generate", continued(3)),
    "/ostinato.v1.GenerationService/GenerateSession": both(
        "generation",
        "GenerateSession",
        generation_pb2.GenerateSessionRequest(start=generation_pb2.SessionStart(model="char-lm")),
        generation_pb2.GenerateSessionRequest(turn=generation_pb2.SessionTurn(text="a")),
    ),
    "/ostinato.v1.SentimentService/Classify": unary(
        "sentiment", "Classify", sentiment_pb2.ClassifyRequest(model="sentiment", text="good")
    ),
    "/ostinato.v1.SentimentService/ClassifyBatch": unary(
        "sentiment", "ClassifyBatch", sentiment_pb2.ClassifyBatchRequest(model="sentiment", texts=["good"])
    ),
    "/ostinato.v1.SentimentService/ClassifyStream": both(
        "sentiment", "ClassifyStream", sentiment_pb2.ClassifyStreamRequest(model="sentiment", text="good")
    ),
    "/ostinato.v1.SentimentService/ClassifyIncremental": both(
        "sentiment",
        "ClassifyIncremental",
        sentiment_pb2.ClassifyIncrementalRequest(model="sentiment", appended_text="good"),
    ),
    "/ostinato.v1.TranslationService/Translate": stream(
        "translation", "Translate", translation_pb2.TranslateRequest(model="translation-en-fr", text="a", max_tokens=2)
    ),
    "/ostinato.v1.ModelService/ListModels": unary("models", "ListModels", models_pb2.ListModelsRequest()),
    "/ostinato.v1.ModelService/GetModel": unary("models", "GetModel", models_pb2.GetModelRequest(model="char-lm")),
    "/inference.GRPCInferenceService/ServerMetadata": unary(
        "inference", "ServerMetadata", inference_pb2.ServerMetadataRequest()
    ),
    "/inference.GRPCInferenceService/ModelReady": unary(
        "inference", "ModelReady", inference_pb2.ModelReadyRequest(name="sentiment")
    ),
    "/inference.GRPCInferenceService/ModelMetadata": unary(
        "inference", "ModelMetadata", inference_pb2.ModelMetadataRequest(name="sentiment")
    ),
    "/inference.GRPCInferenceService/ModelConfig": unary(
        "inference", "ModelConfig", inference_pb2.ModelConfigRequest(name="sentiment")
    ),
    "/inference.GRPCInferenceService/ModelInfer": unary("inference", "ModelInfer", INFER),
    "/inference.GRPCInferenceService/ModelStreamInfer": infer_stream,
}


def reflect(server: RunningServer, sent: tuple[tuple[str, str], ...]) -> list[Any]:
    stub = reflection_pb2_grpc.ServerReflectionStub(server.channel)
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    return list(stub.ServerReflectionInfo(asked, timeout=CALL_SECONDS, metadata=sent))  # type: ignore[operator]


def test_the_methods_tried_here_are_all_that_inference_has() -> None:
    assert set(METHODS) == INFERENCE


@pytest.mark.parametrize("token", [ALICE, ROOT])
@pytest.mark.parametrize("method", METHODS)
def test_inference_is_for_both_roles(guarded: RunningServer, method: str, token: str) -> None:
    assert METHODS[method](guarded, metadata(token))


@pytest.mark.parametrize("method", [*METHODS, "reflection"])
def test_a_call_without_a_token_is_unauthenticated(guarded: RunningServer, method: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        METHODS.get(method, reflect)(guarded, ())
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert caught.value.details() == "the call needs a token, in the metadata authorization as 'Bearer TOKEN'"


@pytest.mark.parametrize(
    "sent",
    [
        metadata("some-other-secret"),
        metadata(""),
        metadata(hashlib.sha256(ALICE.encode()).hexdigest()),
        (("authorization", f"Basic {ALICE}"),),
        (("authorization", ALICE),),
        (("ostinato-client-id", "alice"),),
    ],
)
def test_a_wrong_token_is_unauthenticated_and_is_not_repeated(
    guarded: RunningServer, sent: tuple[tuple[str, str], ...]
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        fold(guarded.generation.Generate(continued(3), timeout=CALL_SECONDS, metadata=sent))
    error = error_from_call(caught.value)
    assert type(error) is Unauthenticated
    assert error.reason == "UNAUTHENTICATED"
    assert "secret" not in str(caught.value)


def test_reflection_is_for_admins(guarded: RunningServer) -> None:
    (told,) = reflect(guarded, metadata(ROOT))
    assert set(SERVICES) < {service.name for service in told.list_services_response.service}
    with pytest.raises(grpc.RpcError) as caught:
        reflect(guarded, metadata(ALICE))
    error = error_from_call(caught.value)
    assert type(error) is PermissionDenied
    assert (error.reason, error.message.partition("; ")[2]) == ("PERMISSION_DENIED", "the token has infer")


def test_health_is_open(guarded: RunningServer) -> None:
    with Client(guarded.address) as client:
        client.wait_until_ready(timeout=CALL_SECONDS)
        assert client.is_ready("ostinato.v1.GenerationService")


def test_the_file_is_read_again_when_it_changes(repository: Path, tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.touch(mode=0o600)
    path.write_text(line(ALICE, "infer", "alice"))

    def listed(token: str) -> bool:
        try:
            return len(server.models.ListModels(models_pb2.ListModelsRequest(), metadata=metadata(token)).models) == 3
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAUTHENTICATED  # noqa: PT017 - what else it may be is a failure
            return False

    with serving(repository, auth_tokens=path) as server:
        assert (listed(ALICE), listed("bob")) == (True, False)
        path.write_text(line("bob", "infer", "bob") + line("carol", "infer", "carol"))
        assert (listed(ALICE), listed("bob")) == (False, True)
        path.write_text("nonsense")
        assert (listed(ALICE), listed("bob")) == (False, True)


def test_a_file_open_to_every_user_is_refused_at_the_start(repository: Path, tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(line(ALICE, "infer", "alice"))
    path.chmod(0o644)
    with pytest.raises(StartupError, match="is open to every user"), serving(repository, auth_tokens=path):
        pass


async def test_both_clients_send_their_token_over_tls(repository: Path, tokens: Path, tmp_path: Path) -> None:
    files = issue(tmp_path, "server")
    credentials = tls_credentials(ca=roots(tmp_path))
    with serving(repository, auth_tokens=tokens, tls_certificate=files.certificate, tls_key=files.key) as server:
        with Client(server.address, credentials=credentials, token=ALICE) as client:
            assert len(client.generate("The cat", max_chars=5).text()) == 5
            assert client.classify("good").token_count == 1
            assert len(list(client.classify_stream(["good", "bad"]))) == 2
        async with AsyncClient(server.address, credentials=credentials, token=ALICE) as client:
            assert len(await client.models()) == 3


def test_the_command_sends_the_token_of_a_file_or_of_a_variable(
    guarded: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OSTINATO_TARGET", guarded.address)
    path = tmp_path / "token"
    path.write_text(f"{ALICE}\n")
    assert run(["models", "--token-file", str(path), "--insecure-token"]) == 0
    assert "char-lm" in capsys.readouterr().out
    assert run(["models"]) == 1
    assert "the call needs a token" in capsys.readouterr().err
    monkeypatch.setenv("OSTINATO_TOKEN", ALICE)
    assert run(["models"]) == 2
    assert capsys.readouterr().err.startswith("error: A token is sent over TLS only; ")
    monkeypatch.setenv("OSTINATO_INSECURE_TOKEN", "1")
    assert run(["models"]) == 0
