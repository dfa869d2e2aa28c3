"""What the metrics port answers: the metrics, whether the process is alive, which models take requests.

======================  ===================================  =========================================
``/metrics``            200                                  the metrics, as text or as OpenMetrics
``/healthz``            200, or 503 where only a restart     ``{"live": true}``
                        helps
``/readyz``             200 while any model takes requests,  ``{"ready": true, "models": {NAME: STATE}}``
                        else 503
``/readyz/NAME``        200, 503, or 404 for a model that    ``{"model": NAME, "state": STATE}``
                        is not loaded
======================  ===================================  =========================================

A state is ``ready``, ``draining`` while the server shuts down, or the fault of the model's engine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

from prometheus_client import CollectorRegistry, make_wsgi_app

from ostinato_server.engine.fault import Fault
from ostinato_server.metrics_port import Request, Response

METHODS = ("GET", "HEAD")
READY = "ready"
DRAINING = "draining"


class Probes:
    """Answers requests; called on any thread.

    Args:
        registry: The metrics.
        models: Gives each loaded model's fault, None for a model that takes requests.
        fatal: Says why only a restart helps; empty while the process can recover by itself.
        draining: Whether the server is shutting down.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        models: Callable[[], Mapping[str, Fault | None]],
        fatal: Callable[[], str],
        draining: Callable[[], bool],
    ) -> None:
        self._exposition = make_wsgi_app(registry)
        self._models = models
        self._fatal = fatal
        self._draining = draining

    def ready(self) -> dict[str, bool]:
        """Whether each loaded model takes requests."""
        return {name: state == READY for name, state in self._states().items()}

    def respond(self, request: Request) -> Response:
        """Answers a request by its path."""
        try:
            url = urlsplit(request.target)
        except ValueError:
            return _json(HTTPStatus.BAD_REQUEST, error="the target is not a URL")
        answer = self._answer(url.path, url.query, request)
        if answer.status is not HTTPStatus.NOT_FOUND and request.method not in METHODS:
            refused = _json(HTTPStatus.METHOD_NOT_ALLOWED, error=f"{url.path} takes {' and '.join(METHODS)}")
            return refused._replace(headers=(*refused.headers, ("Allow", ", ".join(METHODS))))
        return answer

    def _answer(self, path: str, query: str, request: Request) -> Response:
        match path.split("/"):
            case ["", "metrics"]:
                return self._metrics(query, request)
            case ["", "healthz"]:
                return self._healthz()
            case ["", "readyz"]:
                states = self._states()
                return _probe(READY in states.values(), ready=READY in states.values(), models=states)
            case ["", "readyz", name]:
                return self._readyz(unquote(name))
        return _json(HTTPStatus.NOT_FOUND, error="there are /metrics, /healthz, /readyz and /readyz/NAME")

    def _metrics(self, query: str, request: Request) -> Response:
        environment = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/metrics",
            "QUERY_STRING": query,
            "HTTP_ACCEPT": ", ".join(request.headers.get_all("Accept", [])),
            "HTTP_ACCEPT_ENCODING": ", ".join(request.headers.get_all("Accept-Encoding", [])),
        }
        headers: list[tuple[str, str]] = []
        body = b"".join(self._exposition(environment, lambda _, given: headers.extend(given)))
        return Response(HTTPStatus.OK, tuple(headers), body)

    def _healthz(self) -> Response:
        reason = self._fatal()
        return _probe(False, live=False, reason=reason) if reason else _probe(True, live=True)

    def _readyz(self, name: str) -> Response:
        state = self._states().get(name)
        if state is None:
            return _json(HTTPStatus.NOT_FOUND, error=f"no model {name[:64]!r} is loaded")
        return _probe(state == READY, model=name, state=state)

    def _states(self) -> dict[str, str]:
        draining = self._draining()
        return {
            name: DRAINING if draining else READY if fault is None else fault.value
            for name, fault in self._models().items()
        }


def _probe(passed: bool, **facts: Any) -> Response:
    return _json(HTTPStatus.OK if passed else HTTPStatus.SERVICE_UNAVAILABLE, **facts)


def _json(status: HTTPStatus, **facts: Any) -> Response:
    return Response(status, (("Content-Type", "application/json"),), json.dumps(facts).encode() + b"\n")
