"""The composition root: builds the server's parts, ties them together, runs them, and takes them down in order."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from http.server import HTTPServer
from threading import Thread

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry, start_http_server

from ostinato.inference import grpc_service_pb2, grpc_service_pb2_grpc
from ostinato.v1 import (
    generation_pb2,
    generation_pb2_grpc,
    models_pb2,
    models_pb2_grpc,
    sentiment_pb2,
    sentiment_pb2_grpc,
    translation_pb2,
    translation_pb2_grpc,
)
from ostinato_bundle import Manifest, discover
from ostinato_server.config import ServerConfig
from ostinato_server.engine.observer import EngineObserver
from ostinato_server.errors import StartupError
from ostinato_server.metrics import ServerMetrics
from ostinato_server.repository.catalog import Catalog
from ostinato_server.repository.loader import Loader
from ostinato_server.repository.model import LoadedModel
from ostinato_server.rpc.desk import Desk
from ostinato_server.rpc.generation import GenerationService
from ostinato_server.rpc.guard import Guard
from ostinato_server.rpc.models import ModelService
from ostinato_server.rpc.open_inference.service import OpenInferenceService
from ostinato_server.rpc.sentiment import SentimentService
from ostinato_server.rpc.translation import TranslationService
from ostinato_server.statistics import Statistics

logger = logging.getLogger(__name__)

SERVICES = tuple(
    descriptor.full_name
    for module in (generation_pb2, sentiment_pb2, translation_pb2, models_pb2, grpc_service_pb2)
    for descriptor in module.DESCRIPTOR.services_by_name.values()
)

_CHANNEL_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second server on the same port must fail, not share it
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

_STOP_SECONDS = 5.0
"""Time for the last bytes and threads once all streams have ended."""


@dataclass(slots=True)
class Server:
    """A running server.

    Attributes:
        address: Host and port of gRPC.
        metrics_url: Where Prometheus scrapes.
    """

    address: str
    metrics_url: str
    _grpc: grpc.aio.Server
    _health: health.aio.HealthServicer
    _guard: Guard
    _models: list[LoadedModel]
    _metrics: tuple[HTTPServer, Thread]
    _grace_seconds: float

    async def stop(self) -> None:
        """Drains and stops: health says NOT_SERVING, running requests have the grace period, new ones are refused."""
        await self._health.enter_graceful_shutdown()
        if not await self._guard.drain(self._grace_seconds):
            logger.warning("requests still running after %g s of grace are cut off", self._grace_seconds)
        await self._grpc.stop(0)
        for model in self._models:
            await asyncio.to_thread(model.worker.stop, _STOP_SECONDS)
        server, thread = self._metrics
        server.shutdown()
        server.server_close()
        thread.join(_STOP_SECONDS)


async def start(config: ServerConfig) -> Server:
    """Starts a server; it answers requests when this returns.

    Raises:
        StartupError: It cannot start as configured.
        BundleError: A bundle of the repository is refused.
    """
    registry = CollectorRegistry()
    metrics = ServerMetrics(registry)
    statistics = Statistics(time.time)
    models = await asyncio.to_thread(_load_models, config, metrics, statistics, asyncio.get_running_loop())
    guard = Guard(metrics)
    server = grpc.aio.server(interceptors=[guard], options=_CHANNEL_OPTIONS)
    desk = Desk(Catalog(models), metrics, statistics, time.monotonic, config.max_deadline_seconds)
    generation_pb2_grpc.add_GenerationServiceServicer_to_server(GenerationService(desk), server)
    sentiment_pb2_grpc.add_SentimentServiceServicer_to_server(SentimentService(desk), server)
    translation_pb2_grpc.add_TranslationServiceServicer_to_server(TranslationService(desk), server)
    models_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(desk.catalog), server)
    grpc_service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(
        OpenInferenceService(desk, statistics, lambda: guard.draining), server
    )
    checker = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checker, server)
    reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    port = _listen(server, config)
    metrics_http = _serve_metrics(config, registry)
    await server.start()
    for service in ("", *SERVICES):
        await checker.set(service, health_pb2.HealthCheckResponse.SERVING)
    return Server(
        address=f"{_url_host(config.host)}:{port}",
        metrics_url=f"http://{_url_host(config.host)}:{metrics_http[0].server_port}/metrics",
        _grpc=server,
        _health=checker,
        _guard=guard,
        _models=models,
        _metrics=metrics_http,
        _grace_seconds=config.grace_seconds,
    )


def _load_models(
    config: ServerConfig, metrics: ServerMetrics, statistics: Statistics, loop: asyncio.AbstractEventLoop
) -> list[LoadedModel]:
    def observe(manifest: Manifest, runtime: str, device: str) -> EngineObserver:
        info = {"version": str(manifest.version), "task": manifest.task, "runtime": runtime, "device": device}
        return statistics.observe(manifest.name, manifest.version, metrics.model_loaded(manifest.name, info))

    loader = Loader(config, observe, loop)
    models = [loader.load(path) for path in discover(config.repository)]
    if not models:
        raise StartupError(f"{config.repository}: holds no model (expected <model>/<version>/manifest.json)")
    for model in models:
        logger.info("loaded %s version %d (%s, %s)", model.name, model.version, model.runtime, model.device)
    return models


def _listen(server: grpc.aio.Server, config: ServerConfig) -> int:
    wanted = f"{_url_host(config.host)}:{config.port}"
    try:
        port = server.add_insecure_port(wanted)
    except RuntimeError:
        port = 0
    if not port:
        raise StartupError(f"cannot listen on {wanted}; is the port taken?")
    return port


def _serve_metrics(config: ServerConfig, registry: CollectorRegistry) -> tuple[HTTPServer, Thread]:
    try:
        return start_http_server(config.metrics_port, config.host, registry)
    except OSError as error:
        where = f"{_url_host(config.host)}:{config.metrics_port}"
        raise StartupError(f"cannot serve metrics on {where}: {error.strerror}") from error


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
