"""The server's metrics, on a registry that is passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ostinato_server.engine.fault import LASTING, Fault
from ostinato_server.gap_histogram import GapHistogram

TIME_BUCKETS = tuple(round(1e-4 * 1.5**power, 7) for power in range(35))
"""100 µs times 1.5, up to 97 s: a recurrent step is far below a transformer's."""

BATCH_BUCKETS = (1.0, 2.0, 4.0, 8.0, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0, 128.0, 256.0, 512.0, 1024.0)


OUTCOMES = ("ok", "invalid", "overloaded", "deadline_exceeded", "unavailable", "cancelled", "internal")
"""How a request may end."""


class ModelInfo(NamedTuple):
    """What tells a loaded model from another; each a label."""

    model: str
    version: str
    task: str
    runtime: str
    device: str


class ServerMetrics:
    """Every metric that the server exports; vLLM's names where the meaning is the same.

    Args:
        registry: Where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"ostinato_{name}", text, labels, buckets=buckets, registry=registry)

        def counter(name: str, text: str, labels: tuple[str, ...]) -> Counter:
            return Counter(f"ostinato_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, labels: tuple[str, ...]) -> Gauge:
            return Gauge(f"ostinato_{name}", text, labels, registry=registry)

        model = ("model",)
        self.first_token = histogram(
            "time_to_first_token_seconds", "From arrival to a stream's first token.", model, TIME_BUCKETS
        )
        self.gaps = GapHistogram(
            "ostinato_inter_token_latency_seconds", "Between two tokens of a stream, at the engine.", TIME_BUCKETS
        )
        registry.register(self.gaps)
        self.queue = histogram("request_queue_time_seconds", "From arrival to a slot.", model, TIME_BUCKETS)
        self.latency = histogram(
            "e2e_request_latency_seconds", "From arrival to the end of the request.", model, TIME_BUCKETS
        )
        self.batch = histogram("batch_size", "Rows of a step, or texts of a run.", model, BATCH_BUCKETS)
        self.step = histogram("step_duration_seconds", "Time of a step, or of a run.", model, TIME_BUCKETS)
        self.running = gauge("requests_running", "Requests that hold a slot.", model)
        self.waiting = gauge("requests_waiting", "Requests that wait for a slot.", model)
        self.parked = gauge("requests_parked", "Streams that gave up their slot until their reader reads on.", model)
        self.generated = counter("generated_tokens_total", "Tokens generated.", model)
        self.prompt = counter("prompt_tokens_total", "Tokens of prompts, sources and texts accepted.", model)
        self.faults = counter("engine_faults_total", "Failures of engines, by kind.", ("model", "kind"))
        self.unhealthy = gauge("engines_unhealthy", "Engines that cannot work, by why.", ("model", "kind"))
        self.requests = counter("requests_total", "Requests that ended, by how.", ("model", "task", "outcome"))
        self.calls = histogram(
            "rpc_duration_seconds", "Time of a call, by method and status code.", ("method", "code"), TIME_BUCKETS
        )
        self._sessions = gauge("sessions_open", "Sessions that are open, waiting for their client or not.", ())
        self._slots = gauge("slots", "Requests of a model that may hold a slot at once.", ())
        self._queue_limit = gauge("queue_limit", "Requests of a model that may wait for a slot.", ())
        self._build = gauge("build_info", "1 for the version of the server.", ("version",))
        self.info = gauge("model_info", "1 for every loaded model.", ModelInfo._fields)
        self.load_seconds = gauge(
            "model_load_seconds", "Time that loading took, for every loaded model.", ("model", "version")
        )
        self.draining = gauge("model_versions_draining", "Versions that only finish what they began.", model)
        self.changes = counter("model_changes_total", "Versions loaded, unloaded and refused.", ("model", "change"))
        self._expiry = gauge(
            "tls_certificate_expiry_timestamp_seconds",
            "When a certificate in force expires, in seconds since 1970.",
            ("use", "subject", "serial"),
        )
        self._certificates: frozenset[tuple[str, str, str]] = frozenset()
        self._registry = registry

    def request_ended(self, model: str, task: str, outcome: str, seconds: float, trace_id: str = "") -> None:
        """A request for a model ended; ``trace_id`` is the trace that it is kept in, empty for none."""
        self.requests.labels(model, task, outcome).inc()
        self.latency.labels(model).observe(seconds, exemplar(trace_id))

    def call_ended(self, method: str, code: str, seconds: float, trace_id: str = "") -> None:
        """A call ended, whatever it asked for."""
        self.calls.labels(method, code).observe(seconds, exemplar(trace_id))

    def sessions_open(self, count: int) -> None:
        """So many sessions are open."""
        self._sessions.set(count)

    def configured(self, version: str, slots: int, queue_limit: int) -> None:
        """What the server is, and the bounds that each of its models has."""
        self._build.labels(version).set(1)
        self._slots.set(slots)
        self._queue_limit.set(queue_limit)

    def calls_begin(self, methods: Iterable[str], codes: Iterable[str]) -> None:
        """Shows calls of these methods that end so before there are any: a series that begins above 0 has no rate."""
        for method, code in product(methods, codes):
            self.calls.labels(method, code)

    def readiness(self, ready: Callable[[], Mapping[str, bool]]) -> None:
        """Shows which of the loaded models take requests, as ``ready`` gives them at each scrape."""
        self._registry.register(_Readiness(ready))

    def certificates(self, expiry: Mapping[tuple[str, str, str], float]) -> None:
        """These certificates (use, subject, serial number) are in force now, each until so many seconds since 1970."""
        for labels, seconds in expiry.items():
            self._expiry.labels(*labels).set(seconds)
        for labels in self._certificates - expiry.keys():
            self._expiry.remove(*labels)
        self._certificates = frozenset(expiry)

    def engine(self, model: str) -> EngineMetrics:
        """What a new engine of a model reports to."""
        return EngineMetrics(self, model)

    def engine_failed(self, model: str, fault: Fault) -> None:
        """An engine of a model failed."""
        self.faults.labels(model, fault).inc()

    def engines_failing(self, model: str, fault: Fault, count: int) -> None:
        """So many engines of a model cannot work."""
        self.unhealthy.labels(model, fault).set(count)

    def model_loaded(self, info: ModelInfo, seconds: float) -> None:
        """Requests find a version from now on; to load it took so long."""
        self.info.labels(*info).set(1)
        self.load_seconds.labels(info.model, info.version).set(seconds)
        self.changes.labels(info.model, "loaded").inc()
        self.latency.labels(info.model)
        for outcome in OUTCOMES:
            self.requests.labels(info.model, info.task, outcome)
        for change in ("unloaded", "refused"):  # a series that begins above 0 has no rate
            self.changes.labels(info.model, change)
        for fault in LASTING:  # seen to be 0 before it ever is not
            self.unhealthy.labels(info.model, fault)
        self.draining.labels(info.model)

    def model_refused(self, model: str) -> None:
        """A bundle was refused."""
        self.changes.labels(model, "refused").inc()

    def model_draining(self, info: ModelInfo) -> None:
        """Requests do not find a version any more; those that have it run to their ends."""
        self.info.remove(*info)
        self.load_seconds.remove(info.model, info.version)
        self.draining.labels(info.model).inc()

    def model_unloaded(self, info: ModelInfo) -> None:
        """A version's last request has ended, and its engine with it."""
        self.draining.labels(info.model).dec()
        self.changes.labels(info.model, "unloaded").inc()


class _Readiness(Collector):
    """A gauge that is read when it is scraped, so that a model that was unloaded has no series."""

    def __init__(self, ready: Callable[[], Mapping[str, bool]]) -> None:
        self._ready = ready

    def collect(self) -> Iterable[Metric]:
        """The series of the loaded models."""
        family = GaugeMetricFamily(
            "ostinato_model_ready",
            "1 for a loaded model that takes requests, 0 for one that does not.",
            labels=["model"],
        )
        for name, ready in self._ready().items():
            family.add_metric([name], float(ready))
        yield family


def exemplar(trace_id: str) -> dict[str, str] | None:
    """What leads from a bucket to a trace that fell into it; nothing for a request that is kept in none."""
    return {"trace_id": trace_id} if trace_id else None


class EngineMetrics:
    """Reports of one engine (``engine.observer.EngineObserver``).

    A model's series are the sums over its engines: of a version that is served and of those that drain.

    Args:
        metrics: Where they go.
        model: The model's name.
    """

    def __init__(self, metrics: ServerMetrics, model: str) -> None:
        self._model = model
        self._histogram = metrics.gaps
        self._gaps = self._histogram.open(model)
        self._load = (0, 0, 0)
        self._first_token = metrics.first_token.labels(model)
        self._queue = metrics.queue.labels(model)
        self._batch = metrics.batch.labels(model)
        self._step = metrics.step.labels(model)
        self._running = metrics.running.labels(model)
        self._waiting = metrics.waiting.labels(model)
        self._parked = metrics.parked.labels(model)
        self._generated = metrics.generated.labels(model)
        self._prompt = metrics.prompt.labels(model)
        self._faults = {fault: metrics.faults.labels(model, fault) for fault in Fault}

    def admitted(self, queue_seconds: float, trace_id: str) -> None:
        """A request got a slot."""
        self._queue.observe(queue_seconds, exemplar(trace_id))

    def read_prompt(self, tokens: int) -> None:
        """Tokens were accepted."""
        self._prompt.inc(tokens)

    def first_token(self, seconds: float, trace_id: str) -> None:
        """A stream gave its first token."""
        self._first_token.observe(seconds, exemplar(trace_id))

    def stepped(self, batch: int, seconds: Sequence[float], generated: int, gaps: NDArray[np.float64]) -> None:
        """Steps were made."""
        for each in seconds:
            self._batch.observe(batch)
            self._step.observe(each)
        if generated:
            self._generated.inc(generated)
        if len(gaps):
            self._gaps.observe(gaps)

    def load(self, running: int, waiting: int, parked: int) -> None:
        """So many requests run, wait for a slot, and wait for their reader."""
        load = (running, waiting, parked)
        for gauge, before, now in zip((self._running, self._waiting, self._parked), self._load, load, strict=True):
            if now != before:
                gauge.inc(now - before)
        self._load = load

    def failed(self, fault: Fault) -> None:
        """The runtime failed."""
        self._faults[fault].inc()

    def ended(self) -> None:
        """The engine has ended."""
        self.load(0, 0, 0)
        self._histogram.close(self._model, self._gaps)
