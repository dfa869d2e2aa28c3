"""A real server on loopback, in the test's process, and what tests need to talk to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import urlopen

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_status import rpc_status
from prometheus_client.parser import text_string_to_metric_families

from ostinato.inference import grpc_service_pb2_grpc
from ostinato.v1 import generation_pb2 as pb
from ostinato.v1 import generation_pb2_grpc, models_pb2_grpc, sentiment_pb2_grpc, translation_pb2_grpc
from ostinato_server.app import Server, start
from ostinato_server.config import ServerConfig
from ostinato_server.repository.lifecycle import Lifecycle
from ostinato_server.repository.remote_url import RemoteUrl

T = TypeVar("T")

CALL_SECONDS = 60.0
"""Deadline of a test's calls: a hang fails the test, it does not hold the suite."""


class Stubs:
    """Every service over a channel."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self.generation = generation_pb2_grpc.GenerationServiceStub(channel)
        self.sentiment = sentiment_pb2_grpc.SentimentServiceStub(channel)
        self.translation = translation_pb2_grpc.TranslationServiceStub(channel)
        self.models = models_pb2_grpc.ModelServiceStub(channel)
        self.inference = grpc_service_pb2_grpc.GRPCInferenceServiceStub(channel)


class RunningServer(Stubs):
    """A server on an event loop of its own."""

    def __init__(self, config: ServerConfig) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="server-loop")
        self._thread.start()
        self._stopped = False
        try:
            self._server: Server = self.wait(start(config))
        except BaseException:
            self._end_loop()
            raise
        self.address = self._server.address
        self.metrics_url = self._server.metrics_url
        super().__init__(grpc.insecure_channel(self.address, [("grpc.enable_http_proxy", 0)]))

    @contextmanager
    def connected(
        self, credentials: grpc.ChannelCredentials | None = None, options: Sequence[tuple[str, int]] = ()
    ) -> Iterator[Stubs]:
        """A connection of its own, with TLS where credentials are given."""
        options = [("grpc.use_local_subchannel_pool", 1), *options]
        if credentials is None:
            channel = grpc.insecure_channel(self.address, options)
        else:
            channel = grpc.secure_channel(self.address, credentials, options)
        with channel:
            yield Stubs(channel)

    @property
    def lifecycle(self) -> Lifecycle:
        """What loads and unloads the server's models; its coroutines run through `wait`."""
        return self._server.lifecycle

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(CALL_SECONDS)

    def begin_stop(self) -> Callable[[], None]:
        """Starts a graceful stop, as SIGTERM does; the result waits for its end."""
        self._stopped = True
        future = asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop)
        return lambda: future.result(CALL_SECONDS)

    def close(self) -> None:
        """Stops the server, its loop and the channel."""
        if not self._stopped:
            self.begin_stop()()
        self.channel.close()
        self._end_loop()

    def scrape(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Every sample of ``/metrics`` by name and sorted labels."""
        with urlopen(self.metrics_url, timeout=CALL_SECONDS) as response:
            text = response.read().decode()
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def rpcs_ended(self, method: str, code: str) -> float:
        """How many calls of a method have ended with a status."""
        labels = (("code", code), ("method", method))
        return self.scrape().get(("ostinato_rpc_duration_seconds_count", labels), 0.0)

    def health(self, service: str = "") -> int:
        """The status that ``grpc.health.v1`` tells of a service."""
        check = self.channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        return int(check(health_pb2.HealthCheckRequest(service=service), timeout=CALL_SECONDS).status)

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_SECONDS)
        self._loop.close()


@contextmanager
def serving(repository: Path | RemoteUrl | None, **changes: object) -> Iterator[RunningServer]:
    """A server on ports that the kernel chose."""
    assert repository is not None
    config = ServerConfig(repository=repository, port=0, metrics_port=0)
    server = RunningServer(replace(config, **changes))  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.close()


def continued(characters: int) -> pb.GenerateRequest:
    """A request for so many characters, the same ones every time."""
    return pb.GenerateRequest(
        model="char-lm",
        prompt="The cat",
        sampling=pb.SamplingParameters(seed=1),
        stopping=pb.StoppingParameters(max_tokens=characters),
    )


@dataclass(frozen=True)
class Generated:
    """A whole stream of characters."""

    text: str
    chunks: tuple[pb.GeneratedChunk, ...]
    summary: pb.GenerationSummary


def generate(server: RunningServer, request: pb.GenerateRequest) -> Generated:
    """Reads a stream to its end; its chunks must follow on one another."""
    return fold(server.generation.Generate(request, timeout=CALL_SECONDS))


def fold(responses: Iterator[pb.GenerateResponse]) -> Generated:
    """Puts a stream together, checking that nothing is lost, doubled or sent after the summary."""
    chunks: list[pb.GeneratedChunk] = []
    summary: pb.GenerationSummary | None = None
    position = 0
    for response in responses:
        assert summary is None, "nothing may follow the summary"
        if response.WhichOneof("payload") == "summary":
            summary = response.summary
            continue
        assert response.chunk.position == position
        position += response.chunk.token_count
        chunks.append(response.chunk)
    assert summary is not None, "a stream must end with its summary"
    return Generated("".join(chunk.text for chunk in chunks), tuple(chunks), summary)


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Runs calls at the same time; their results in order."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(CALL_SECONDS) for future in [pool.submit(call) for call in calls]]


def violation(error: grpc.RpcError) -> tuple[str, str]:
    """Field and description of a BadRequest in an error's details."""
    detail = _detail(error, error_details_pb2.BadRequest())
    (only,) = detail.field_violations
    return only.field, only.description


def retry_seconds(error: grpc.RpcError) -> float:
    """Delay of a RetryInfo in an error's details."""
    seconds: float = _detail(error, error_details_pb2.RetryInfo()).retry_delay.ToNanoseconds() / 1e9
    return seconds


def _detail(error: grpc.RpcError, kind: T) -> T:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None, f"no details in {error}"
    for detail in status.details:
        if detail.Unpack(kind):
            return kind
    raise AssertionError(f"no {type(kind).__name__} in {status}")
