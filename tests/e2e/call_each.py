"""Starts the installed server and makes one call of each kind with the installed client.

    PYTHON tests/e2e/call_each.py

PYTHON is the interpreter of an environment with the extra ``server``. Prints a line for each kind of call.
"""

import asyncio
import importlib.metadata
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from ostinato.inference import grpc_service_pb2, grpc_service_pb2_grpc
from ostinato_client import AsyncClient, Client, InvalidRequest

REPOSITORY = Path(__file__).parents[2] / "models" / "pretrained"
SECONDS = 60
PROMPT = "ROMEO:"
LIBRARIES = ("protobuf", "grpcio", "grpcio-status", "googleapis-common-protos", "numpy", "onnxruntime", "tokenizers")
SERVE = (
    *(sys.executable, "-W", "error", "-m", "ostinato_client", "serve", "--repository", str(REPOSITORY)),
    *("--port", "0", "--metrics-port", "0", "--reflection", "--model-control", "explicit"),
    *("--log-level", "warning", "--json"),
)

Calls = dict[str, Callable[[], Any]]


def own_calls(client: Client) -> Calls:
    """Calls of ostinato.v1 and grpc.health.v1."""

    def session() -> str:
        with client.session() as session:
            return session.send(PROMPT, max_chars=5, seed=1).text()

    def attention() -> tuple[int, ...]:
        weights = client.translate("I love you.").result().attention
        assert weights is not None
        return weights.shape

    def rejected() -> str:
        try:
            client.classify("")
        except InvalidRequest as error:
            return str(error)
        raise AssertionError("an empty text was accepted")

    return {
        "Health": client.is_ready,
        "ListModels": lambda: [model.name for model in client.models()],
        "GetModel": lambda: client.model("char-lm").task,
        "ListRepository": lambda: [entry.model for entry in client.repository()],
        "UnloadModel": lambda: client.unload_model("sentiment") == [],
        "LoadModel": lambda: [model.name for model in client.load_model("sentiment")],
        "Generate": lambda: "".join(chunk.text for chunk in client.generate(PROMPT, max_chars=5, seed=1)),
        "GenerateSession": session,
        "Classify": lambda: client.classify("A warm, funny film.").positive_probability,
        "ClassifyBatch": lambda: [score.sentiment for score in client.classify_batch(["good", "bad"])],
        "ClassifyStream": lambda: [score.sentiment for score in client.classify_stream(["good", "bad"])],
        "ClassifyIncremental": lambda: [score.sentiment for score in client.classify_incremental(["good"])],
        "Translate": attention,
        "error with details": rejected,
    }


def other_calls(channel: grpc.Channel) -> Calls:
    """Calls of the Open Inference Protocol, and of reflection."""
    stub = grpc_service_pb2_grpc.GRPCInferenceServiceStub(channel)
    metadata = grpc_service_pb2.ServerMetadataRequest()
    request = grpc_service_pb2.ModelInferRequest(model_name="char-lm")
    tensor = request.inputs.add(name="prompt", datatype="BYTES", shape=[1])
    tensor.contents.bytes_contents.append(PROMPT.encode())
    request.parameters["max_tokens"].int64_param = 5
    reflection: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    question = reflection_pb2.ServerReflectionRequest(list_services="")

    def services() -> list[str]:
        (answer,) = reflection.ServerReflectionInfo(iter([question]), timeout=SECONDS)
        return [service.name for service in answer.list_services_response.service]

    return {
        "ServerMetadata": lambda: stub.ServerMetadata(metadata, timeout=SECONDS).version,
        "ModelInfer": lambda: [output.name for output in stub.ModelInfer(request, timeout=SECONDS).outputs],
        "ModelStreamInfer": lambda: len(list(stub.ModelStreamInfer(iter([request]), timeout=SECONDS))),
        "ServerReflection": services,
    }


async def asynchronous(target: str) -> str:
    async with AsyncClient(target, timeout=SECONDS) as client:
        return "".join([chunk.text async for chunk in client.generate(PROMPT, max_chars=5, seed=1)])


def status_of(url: str) -> int:
    with urllib.request.urlopen(url, timeout=SECONDS) as response:
        status: int = response.status
        return status


def call_each(target: str, metrics: str) -> None:
    with Client(target, timeout=SECONDS) as client, grpc.insecure_channel(target) as channel:
        client.wait_until_ready(SECONDS)
        calls = own_calls(client) | other_calls(channel)
        calls["AsyncClient"] = lambda: asyncio.run(asynchronous(target))
        calls["metrics"] = lambda: status_of(metrics)
        for name, call in calls.items():
            result = call()
            assert result, f"{name} returned {result!r}"
            sys.stdout.write(f"{name}: {result!r}\n")


def main() -> int:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    sys.stdout.write(f"Python {sys.version.split()[0]}, {versions}\n")
    with subprocess.Popen(SERVE, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            assert line, "the server did not start"
            ready = json.loads(line)
            call_each(ready["address"], ready["metrics"])
        finally:
            server.terminate()
    return server.returncode


if __name__ == "__main__":
    sys.exit(main())
