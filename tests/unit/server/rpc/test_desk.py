from __future__ import annotations

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from ostinato_server import errors
from ostinato_server.metrics import OUTCOMES, ServerMetrics
from ostinato_server.repository.catalog import Catalog
from ostinato_server.repository.uses import Uses
from ostinato_server.rpc.call import Call, current_call
from ostinato_server.rpc.desk import Desk, _outcome
from ostinato_server.rpc.sessions import Sessions
from ostinato_server.statistics import Statistics


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "ok"),
        (errors.InvalidArgument("prompt", "must not be empty"), "invalid"),
        (errors.Overloaded("m", 10, 1.5), "overloaded"),
        (errors.DeadlineUnreachable("m", 2.0, 1.0, 1.5), "overloaded"),
        (errors.TooManyCalls(5), "overloaded"),
        (errors.DeadlineExpired(), "deadline_exceeded"),
        (errors.EngineFault("m"), "internal"),
        (ValueError("unforeseen"), "internal"),
        (asyncio.CancelledError(), "cancelled"),
    ],
)
def test_a_request_is_counted_by_how_it_ended(error: BaseException | None, outcome: str) -> None:
    registry = CollectorRegistry()
    metrics = ServerMetrics(registry)
    model = cast("Any", SimpleNamespace(name="m", version=1, uses=Uses(), manifest=SimpleNamespace(task="generation")))
    desk = Desk(Catalog(), metrics, Statistics(lambda: 0.0), lambda: 0.0, 1.0, Sessions(1, 1.0, lambda count: None))
    current_call.set(Call("/a/B", "id", "ipv4:10.0.0.1"))
    with suppress(type(error) if error is not None else KeyError), desk.count(model) as call:
        if error is not None:
            raise error
    labels = {"model": "m", "task": "generation", "outcome": outcome}
    assert registry.get_sample_value("ostinato_requests_total", labels) == 1
    assert (call.model, call.version, call.task) == ("m", 1, "generation")


@pytest.mark.parametrize("kind", [each for each in vars(errors).values() if isinstance(each, type)])
def test_every_outcome_is_shown_before_it_happens(kind: type[errors.ServerError]) -> None:
    assert _outcome(kind.__new__(kind)) in OUTCOMES
