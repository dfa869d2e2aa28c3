"""What every service needs: the models, the clock, the cap on deadlines, and a count of outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import grpc

from ostinato_server.errors import (
    DeadlineExpired,
    DeadlineUnreachable,
    Draining,
    EngineUnavailable,
    InvalidArgument,
    Overloaded,
    ServerError,
    TooManyCalls,
)
from ostinato_server.metrics import ServerMetrics
from ostinato_server.repository.catalog import Catalog
from ostinato_server.repository.model import LoadedModel
from ostinato_server.rpc import fields
from ostinato_server.rpc.call import Call, current_call, request_deadline
from ostinato_server.rpc.sessions import Sessions
from ostinato_server.statistics import Statistics

M = TypeVar("M", bound=LoadedModel)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where requests are received.

    Attributes:
        catalog: The models.
        metrics: Told the outcome of every request.
        statistics: Told the same.
        clock: Seconds, monotonic, the engines'.
        max_deadline_seconds: The longest a request may take.
        sessions: The sessions that are open.
    """

    catalog: Catalog
    metrics: ServerMetrics
    statistics: Statistics
    clock: Callable[[], float]
    max_deadline_seconds: float
    sessions: Sessions

    def find(self, kind: type[M], task: str, name: str, version: int | None) -> M:
        """The model that a request asks for.

        Raises:
            InvalidArgument: No name is given.
            ModelNotFound: No such model is loaded.
            WrongTask: It does something else.
        """
        return self.catalog.get_as(kind, task, name, version)

    def deadline(self, context: grpc.aio.ServicerContext[object, object]) -> float:
        """When the current request must be done.

        Until the deadline of its call, which may be later, responses may be blocked by their reader.
        """
        deadline = fields.deadline(context, self.clock(), self.max_deadline_seconds)
        current_call.get().deadline = deadline
        return min(deadline, request_deadline.get())

    @contextmanager
    def count(self, model: LoadedModel) -> Iterator[Call]:
        """Counts a request and how it ended; gives the call, to note what becomes known of it.

        Until then the model stays, whatever is loaded in its place.
        """
        call = current_call.get()
        call.asked(model.name, model.version, model.manifest.task)
        started = self.clock()
        outcome = "internal"
        try:
            with model.uses.held():
                yield call
            outcome = "ok"
        except (asyncio.CancelledError, GeneratorExit):
            outcome = "deadline_exceeded" if self.clock() >= call.deadline else "cancelled"
            raise
        except ServerError as error:
            outcome = _outcome(error)
            raise
        finally:
            seconds = self.clock() - started
            self.metrics.request_ended(model.name, model.manifest.task, outcome, seconds, call.sampled_trace_id)
            self.statistics.request_ended(model.name, model.version, outcome, seconds)


def _outcome(error: ServerError) -> str:
    names: dict[type[ServerError], str] = {
        InvalidArgument: "invalid",
        Overloaded: "overloaded",
        DeadlineUnreachable: "overloaded",
        TooManyCalls: "overloaded",
        DeadlineExpired: "deadline_exceeded",
        EngineUnavailable: "unavailable",
        Draining: "unavailable",
    }
    return next((name for kind, name in names.items() if isinstance(error, kind)), "internal")
