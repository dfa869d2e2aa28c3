"""The composition root: builds the server's parts, ties them together, runs them, and takes them down in order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry, ProcessCollector

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
from ostinato_server.config import ServerConfig
from ostinato_server.engine.observer import EngineObserver
from ostinato_server.errors import Draining, NoRepository, StartupError
from ostinato_server.metrics import ServerMetrics
from ostinato_server.metrics_port import MetricsPort
from ostinato_server.probes import Probes
from ostinato_server.repository.catalog import Catalog
from ostinato_server.repository.index import LocalRepository, Repository
from ostinato_server.repository.lifecycle import Lifecycle
from ostinato_server.repository.loader import Loader
from ostinato_server.repository.remote import RemoteRepository, default_cache
from ostinato_server.repository.versions import read_policies
from ostinato_server.repository.watchdog import Watchdog
from ostinato_server.rpc.access import INFERENCE, Access
from ostinato_server.rpc.desk import Desk
from ostinato_server.rpc.generation import GenerationService
from ostinato_server.rpc.guard import PROBES, Guard
from ostinato_server.rpc.health import HealthService, ModelHealth
from ostinato_server.rpc.limits import CallerLimit
from ostinato_server.rpc.listener import channel_options, check_address, is_loopback, listen, tls, url_host
from ostinato_server.rpc.models import ModelService
from ostinato_server.rpc.open_inference.service import OpenInferenceService
from ostinato_server.rpc.request_log import RequestLog
from ostinato_server.rpc.sentiment import SentimentService
from ostinato_server.rpc.sessions import Sessions
from ostinato_server.rpc.translation import TranslationService
from ostinato_server.statistics import Statistics
from ostinato_server.tokens import watch_tokens

if TYPE_CHECKING:
    from ostinato_server.rpc.tls import Certificate
    from ostinato_server.rpc.tracing import Tracing

logger = logging.getLogger(__name__)

_DESCRIPTORS = tuple(
    descriptor
    for module in (generation_pb2, sentiment_pb2, translation_pb2, models_pb2, grpc_service_pb2)
    for descriptor in module.DESCRIPTOR.services_by_name.values()
)

SERVICES = tuple(descriptor.full_name for descriptor in _DESCRIPTORS)

COUNTED = frozenset(
    f"/{descriptor.full_name}/{method.name}" for descriptor in _DESCRIPTORS for method in descriptor.methods
) - frozenset(PROBES)
"""The methods whose calls are measured."""

_LAST_WORD_SECONDS = 1.0
"""Time for calls that have ended, or are cut off, to tell their clients."""


@dataclass(slots=True)
class Server:
    """A running server.

    Attributes:
        address: Host and port of gRPC.
        metrics_url: Where Prometheus scrapes.
        lifecycle: Loads and unloads models.
    """

    address: str
    metrics_url: str
    lifecycle: Lifecycle
    _grpc: grpc.aio.Server
    _health: HealthService
    _guard: Guard
    _sessions: Sessions
    _looking: list[asyncio.Task[None]]
    _metrics_port: MetricsPort
    _tracing: Tracing | None
    _grace_seconds: float

    async def stop(self) -> None:
        """Drains and stops: health says NOT_SERVING, running requests have the grace period, new ones are refused."""
        await self._health.enter_graceful_shutdown()
        for task in self._looking:
            task.cancel()
        self._sessions.drain()
        drained = await self._guard.drain(self._grace_seconds)
        # Without time it takes back statuses that are still on their way to the clients.
        stopping = asyncio.create_task(self._grpc.stop(_LAST_WORD_SECONDS))
        if not drained:
            logger.warning("requests still running after %g s of grace are cut off", self._grace_seconds)
            await asyncio.sleep(0)  # connections are told to end first, so that streams are taken up on others
            for model in self.lifecycle.in_memory():
                model.suspend(Draining)
        await stopping
        await self.lifecycle.close()
        self._metrics_port.close()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close)


async def start(config: ServerConfig) -> Server:
    """Starts a server; it answers requests when this returns.

    Raises:
        StartupError: It cannot start as configured.
        BundleError: A bundle of the repository is refused, and models do not change later.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    metrics = ServerMetrics(registry)
    version = installed_version("ostinato")
    metrics.configured(version, config.max_concurrency, config.max_queue)
    access = Access(None if config.auth_tokens is None else watch_tokens(config.auth_tokens))
    certificates = tls(config, lambda found: metrics.certificates(_expiry(found)))
    check_address(config.host, config.port, "--port")
    check_address(config.host, config.metrics_port, "--metrics-port")
    tracing = _start_tracing() if config.traces == "otlp" else None
    catalog = Catalog()
    checker = HealthService()
    statistics = Statistics(time.time)
    told = ModelHealth(checker)
    repository = _open_repository(config)
    lifecycle = _open_lifecycle(config, repository, metrics, statistics, catalog, told)
    watchdog = Watchdog(lifecycle.in_memory, catalog.all, config.stall_seconds, metrics, told.failing)
    limit = CallerLimit(config.max_requests_per_caller)
    guard = Guard(
        metrics,
        access,
        limit,
        RequestLog(config.log_text),
        config.max_deadline_seconds,
        None if tracing is None else tracing.spans.begin,
    )
    server = grpc.aio.server(interceptors=[guard], options=channel_options(config))
    sessions = Sessions(config.max_sessions, config.session_idle_seconds, metrics.sessions_open)
    desk = Desk(catalog, metrics, statistics, time.monotonic, config.max_deadline_seconds, sessions)
    generation_pb2_grpc.add_GenerationServiceServicer_to_server(GenerationService(desk), server)
    sentiment_pb2_grpc.add_SentimentServiceServicer_to_server(SentimentService(desk), server)
    translation_pb2_grpc.add_TranslationServiceServicer_to_server(TranslationService(desk), server)
    models = ModelService(catalog, lifecycle, config.model_control)
    models_pb2_grpc.add_ModelServiceServicer_to_server(models, server)
    grpc_service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(
        OpenInferenceService(desk, statistics, models, watchdog, limit, lambda: guard.draining, version), server
    )
    health_pb2_grpc.add_HealthServicer_to_server(checker, server)
    if config.reflection:
        reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    metrics.calls_begin(COUNTED, ["OK"])
    metrics.calls_begin(INFERENCE, ["RESOURCE_EXHAUSTED", "INTERNAL"])
    probes = Probes(registry, watchdog.faults, watchdog.fatal, lambda: guard.draining)
    metrics.readiness(probes.ready)
    try:
        metrics_port = _open_metrics_port(config, probes)
    except StartupError:
        if tracing is not None:
            tracing.close()
        raise
    try:
        await _load_models(config, lifecycle, catalog)
        port = listen(server, config, None if certificates is None else certificates.credentials)
    except BaseException as error:
        metrics_port.close()
        if isinstance(error, asyncio.CancelledError):
            repository.close()  # the process ends: what is being loaded is given up
        else:
            await lifecycle.close()
        if tracing is not None:
            tracing.close()
        raise
    await server.start()
    for service in SERVICES:
        await checker.set(service, health_pb2.HealthCheckResponse.SERVING)
    await told.up()
    looking = [asyncio.create_task(watchdog.watch())]
    if config.model_control == "poll":
        looking.append(asyncio.create_task(lifecycle.poll(config.poll_seconds)))
    if certificates is not None:
        looking.append(asyncio.create_task(certificates.watch()))
    return Server(
        address=f"{url_host(config.host)}:{port}",
        metrics_url=f"http://{url_host(config.host)}:{metrics_port.port}/metrics",
        lifecycle=lifecycle,
        _grpc=server,
        _health=checker,
        _guard=guard,
        _sessions=sessions,
        _looking=looking,
        _metrics_port=metrics_port,
        _tracing=tracing,
        _grace_seconds=config.grace_seconds,
    )


def _open_lifecycle(
    config: ServerConfig,
    repository: Repository,
    metrics: ServerMetrics,
    statistics: Statistics,
    catalog: Catalog,
    told: ModelHealth,
) -> Lifecycle:
    def observe(name: str, version: int) -> EngineObserver:
        return statistics.observe(name, version, metrics.engine(name))

    return Lifecycle(
        repository,
        read_policies(config.versions),
        Loader(config, observe, asyncio.get_running_loop()).load,
        catalog,
        metrics,
        told.served,
    )


async def _load_models(config: ServerConfig, lifecycle: Lifecycle, catalog: Catalog) -> None:
    """Loads the repository; only a server whose models cannot change later insists on having all of them, and one."""
    final = config.model_control == "none"
    try:
        await lifecycle.start(strict=final)
    except NoRepository as error:
        raise StartupError(str(error)) from error
    if not catalog.all():
        message = f"{config.repository}: holds no model (expected <model>/<version>/manifest.json)"
        if final:
            raise StartupError(message)
        logger.warning("%s", message)


def _open_repository(config: ServerConfig) -> Repository:
    if isinstance(config.repository, Path):
        return LocalRepository(config.repository)
    if config.repository.scheme == "http" and not is_loopback(urlsplit(config.repository.full).hostname or ""):
        logger.warning("INSECURE: %s is not encrypted: whoever is on the way can change the models", config.repository)
    return RemoteRepository(config.repository, config.cache_dir or default_cache())


def _start_tracing() -> Tracing:
    try:
        from ostinato_server.rpc.tracing import start_tracing  # an extra, and a quarter of a second to import
    except ImportError as error:
        raise StartupError(f"traces need another extra: pip install 'ostinato[server,tracing]' ({error})") from error
    return start_tracing()


def _open_metrics_port(config: ServerConfig, probes: Probes) -> MetricsPort:
    try:
        return MetricsPort(config.host, config.metrics_port, probes.respond)
    except OSError as error:
        where = f"{url_host(config.host)}:{config.metrics_port}"
        raise StartupError(f"cannot serve metrics on {where}: {error.strerror}") from error


def _expiry(certificates: Iterable[Certificate]) -> dict[tuple[str, str, str], float]:
    return {(each.use, each.subject, each.serial): each.not_after.timestamp() for each in certificates}
