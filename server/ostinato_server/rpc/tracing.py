"""Traces that go out by OTLP: set up from OpenTelemetry's own environment variables, and taken down in bounded time."""

from __future__ import annotations

import logging
import os
import uuid
from dataclasses import dataclass
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ostinato_server.errors import StartupError
from ostinato_server.rpc.listener import is_loopback
from ostinato_server.rpc.spans import Spans

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0
"""How long a server that stops waits for the last spans to be delivered."""

_ABORT_SECONDS = 1.0
"""How long it then waits for the delivery to be given up."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_DEFAULT_ENDPOINT = "http://localhost:4317"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


@dataclass(frozen=True, slots=True)
class Tracing:
    """Traces while the server runs.

    Attributes:
        spans: Makes the spans of calls.
    """

    spans: Spans
    _provider: TracerProvider
    _exporter: OTLPSpanExporter

    def close(self) -> None:
        """Delivers what is left, or gives it up after `FLUSH_SECONDS`; blocks as long."""
        flushing = Thread(target=self._provider.shutdown, name="traces-flush", daemon=True)
        flushing.start()
        flushing.join(FLUSH_SECONDS)
        if flushing.is_alive():
            logger.warning("spans that were not delivered within %g s are lost", FLUSH_SECONDS)
            self._exporter.shutdown()
            flushing.join(_ABORT_SECONDS)


def start_tracing() -> Tracing:
    """Begins to make traces; a collector that cannot be reached is no error, then or later.

    Where they go is ``OTEL_EXPORTER_OTLP_ENDPOINT`` and the variables beside it; which calls are kept,
    ``OTEL_TRACES_SAMPLER``: by default all but those whose client says not to. What cannot be delivered is dropped.

    Raises:
        StartupError: The variables ask for a protocol that there is not, or hold a value that cannot be read.
    """
    protocol = next((os.environ[name] for name in _PROTOCOLS if os.environ.get(name)), "grpc")
    if protocol != "grpc":
        raise StartupError(f"traces go out over gRPC: OTEL_EXPORTER_OTLP_PROTOCOL must be grpc, not {protocol!r}")
    try:
        exporter = OTLPSpanExporter(channel_options=_channel_options())
        processor = BatchSpanProcessor(exporter)
    except (ValueError, OSError) as error:
        raise StartupError(f"the OTEL_ variables cannot be used: {error}") from error
    named = Resource({"service.name": "ostinato", "service.instance.id": str(uuid.uuid4())})
    provider = TracerProvider(
        resource=Resource.create().merge(named).merge(OTELResourceDetector().detect()), shutdown_on_exit=False
    )
    provider.add_span_processor(processor)
    return Tracing(Spans(provider.get_tracer("ostinato_server"), TraceContextTextMapPropagator()), provider, exporter)


def _channel_options() -> Any:
    """Keeps a collector on this machine from the proxy that the environment names."""
    endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), _DEFAULT_ENDPOINT)
    host = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}").hostname or ""
    return (("grpc.enable_http_proxy", 0),) if is_loopback(host) else ()
