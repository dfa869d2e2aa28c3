"""What the metrics port answers to each path."""

from __future__ import annotations

import gzip
import json
from http import HTTPStatus
from http.client import HTTPMessage
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter

from ostinato_server.engine.fault import Fault
from ostinato_server.metrics import ServerMetrics
from ostinato_server.metrics_port import Request, Response
from ostinato_server.probes import Probes


class Scene:
    """A server whose state a test sets."""

    def __init__(self) -> None:
        self.models: dict[str, Fault | None] = {"a": None, "b": None}
        self.fatal = ""
        self.draining = False
        self.registry = CollectorRegistry()
        self.probes = Probes(self.registry, lambda: self.models, lambda: self.fatal, lambda: self.draining)

    def ask(self, path: str, method: str = "GET", **headers: str) -> Response:
        message = HTTPMessage()
        for name, value in headers.items():
            message[name.replace("_", "-")] = value
        return self.probes.respond(Request(method, path, message))

    def status(self, path: str, method: str = "GET") -> int:
        return self.ask(path, method).status.value

    def facts(self, path: str) -> Any:
        return json.loads(self.ask(path).body)


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize(
    "path", ["/", "/x", "/metrics/", "/metricsx", "/metrics/x", "/healthz/a", "/readyz/a/b", "/favicon.ico"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_path_that_there_is_not_is_not_found(scene: Scene, path: str, method: str) -> None:
    assert scene.status(path, method) == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/readyz/a"])
def test_paths_are_read_and_nothing_else(scene: Scene, path: str) -> None:
    assert [scene.status(path, method) for method in ("GET", "HEAD")] == [200, 200]
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get"):
        refused = scene.ask(path, method)
        assert refused.status is HTTPStatus.METHOD_NOT_ALLOWED
        assert ("Allow", "GET, HEAD") in refused.headers


def test_absolute_target_is_taken_by_its_path_and_one_that_is_none_is_refused(scene: Scene) -> None:
    assert scene.status("http://host:1/healthz") == HTTPStatus.OK
    assert scene.status("http://[x/healthz") == HTTPStatus.BAD_REQUEST


def test_one_faulty_model_is_not_ready_and_the_server_is_live_and_ready(scene: Scene) -> None:
    scene.models["a"] = Fault.STALLED
    assert scene.facts("/readyz") == {"ready": True, "models": {"a": "stalled", "b": "ready"}}
    assert [scene.status(path) for path in ("/healthz", "/readyz", "/readyz/a", "/readyz/b")] == [200, 200, 503, 200]
    assert scene.facts("/readyz/a") == {"model": "a", "state": "stalled"}
    assert scene.probes.ready() == {"a": False, "b": True}


def test_server_none_of_whose_models_works_is_live_and_not_ready(scene: Scene) -> None:
    scene.models = dict.fromkeys("ab", Fault.FAULTY)
    assert [scene.status(path) for path in ("/healthz", "/readyz", "/readyz/a")] == [200, 503, 503]


def test_server_without_models_is_live_and_not_ready(scene: Scene) -> None:
    scene.models = {}
    assert [scene.status(path) for path in ("/healthz", "/readyz", "/readyz/a")] == [200, 503, 404]
    assert scene.facts("/readyz") == {"ready": False, "models": {}}


def test_server_that_drains_is_live_and_none_of_it_is_ready(scene: Scene) -> None:
    scene.draining = True
    assert [scene.status(path) for path in ("/healthz", "/readyz", "/readyz/a", "/readyz/x")] == [200, 503, 503, 404]
    assert scene.facts("/readyz")["models"] == {"a": "draining", "b": "draining"}


def test_server_that_only_a_restart_helps_is_not_live_and_says_why(scene: Scene) -> None:
    scene.models["a"] = Fault.ENDED
    scene.fatal = "the engine of a version 1 has ended"
    assert scene.status("/healthz") == HTTPStatus.SERVICE_UNAVAILABLE
    assert scene.facts("/healthz") == {"live": False, "reason": scene.fatal}
    assert scene.status("/readyz/b") == HTTPStatus.OK


@pytest.mark.parametrize(("path", "status"), [("/readyz/a%62c", 200), ("/readyz/%2e%2e", 404), ("/readyz/", 404)])
def test_name_is_unquoted(scene: Scene, path: str, status: int) -> None:
    scene.models = {"abc": None}
    assert scene.status(path) == status


def test_metrics_are_given_in_the_form_and_encoding_that_is_asked_for(scene: Scene) -> None:
    Counter("c", "A counter.", registry=scene.registry).inc(exemplar={"trace_id": "t"})
    plain = scene.ask("/metrics")
    assert b"c_total 1.0" in plain.body
    assert dict(plain.headers)["Content-Type"].startswith("text/plain; version=")
    opened = scene.ask("/metrics", Accept="application/openmetrics-text; version=1.0.0", Accept_Encoding="gzip")
    assert dict(opened.headers)["Content-Encoding"] == "gzip"
    assert dict(opened.headers)["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert b'c_total 1.0 # {trace_id="t"}' in gzip.decompress(opened.body)
    assert b"c_total" not in scene.ask("/metrics?name[]=d").body


def test_readiness_is_a_series_of_each_loaded_model(scene: Scene) -> None:
    ServerMetrics(scene.registry).readiness(scene.probes.ready)
    scene.models["a"] = Fault.ENDED

    def value(model: str) -> float | None:
        return scene.registry.get_sample_value("ostinato_model_ready", {"model": model})

    assert (value("a"), value("b")) == (0, 1)
    del scene.models["a"]
    assert (value("a"), value("b")) == (None, 1)
