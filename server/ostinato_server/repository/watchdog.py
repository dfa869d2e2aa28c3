"""Watches the engines, and keeps requests from those that cannot work."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Set
from functools import partial

from ostinato_server.engine.fault import Fault
from ostinato_server.errors import EngineUnavailable
from ostinato_server.metrics import ServerMetrics
from ostinato_server.repository.model import LoadedModel

logger = logging.getLogger(__name__)

LOOKS_PER_LIMIT = 10
"""Looks in the time that an engine may take, so that a stall is found a tenth of it late."""

LONGEST_PAUSE = 1.0
"""Seconds between two looks at most: an engine may fail in other ways than by standing still."""

LEAST_LOOP_SECONDS = 10.0
"""The event loop counts as stuck after this, or after ``stall_seconds`` where that is longer."""


class Watchdog:
    """Looks at every engine now and then; used on the event loop.

    The requests of an engine that cannot work end with EngineUnavailable, and new ones are refused with it, until the
    engine works again. An engine that is busy for too long is in a library that cannot be interrupted, so its thread
    is left to come back in its own time.

    Args:
        models: Gives the models whose engines are watched.
        served: Gives those of them that new requests find, sorted by version.
        stall_seconds: The longest that a piece of work may take.
        metrics: Told of the engines that cannot work.
        announce: Called after every change, with the names of the models that cannot take requests and with whether
            the process can recover by itself.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        models: Callable[[], Iterable[LoadedModel]],
        served: Callable[[], Iterable[LoadedModel]],
        stall_seconds: float,
        metrics: ServerMetrics,
        announce: Callable[[Collection[str], bool], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models = models
        self._served = served
        self._stall_seconds = stall_seconds
        self._metrics = metrics
        self._announce = announce
        self._clock = clock
        self._faults: dict[LoadedModel, Fault] = {}  # replaced, never changed: it is read from other threads
        self._announced: tuple[frozenset[str], bool] = (frozenset(), True)
        self._looked: float | None = None

    def works(self, model: LoadedModel) -> bool:
        """Whether a model could work when it was last looked at; safe from any thread."""
        return model not in self._faults

    def faults(self) -> dict[str, Fault | None]:
        """What keeps each served model from its work, None for one that works; safe from any thread.

        Of several versions of a name the highest counts, which answers the requests that name none.
        """
        faults = self._faults
        return {model.name: faults.get(model) for model in self._served()}

    def fatal(self) -> str:
        """Why the process cannot recover by itself; empty while it can. Safe from any thread."""
        faults = self._faults
        for model in self._served():
            if faults.get(model) is Fault.ENDED:
                return f"the engine of {model} has ended"
        silent = 0.0 if self._looked is None else self._clock() - self._looked
        if silent > max(self._stall_seconds, LEAST_LOOP_SECONDS) + LONGEST_PAUSE:
            return f"the event loop has not run for {silent:.0f} s"
        return ""

    async def watch(self) -> None:
        """Looks for ever."""
        while True:
            self._looked = self._clock()
            await asyncio.sleep(min(LONGEST_PAUSE, self._stall_seconds / LOOKS_PER_LIMIT))
            try:
                await self.look()
            except Exception:
                logger.exception("unexpected error while looking after the engines")

    async def look(self) -> None:
        """Looks at every engine once."""
        before = self._faults
        found = [(model, model.worker.fault(self._stall_seconds)) for model in self._models()]
        self._faults = {model: fault for model, fault in found if fault is not None}
        if self._faults != before:
            self._act(before, {model for model, _ in found})
        failing = frozenset(name for name, fault in self.faults().items() if fault is not None)
        told = failing, not self.fatal()
        if told != self._announced:  # a version that works may have replaced one that does not
            self._announced = told
            await self._announce(*told)

    def _act(self, before: Mapping[LoadedModel, Fault], there: Set[LoadedModel]) -> None:
        """Suspends the models that have failed since the last look, resumes those that work again, counts both."""
        for model, fault in self._faults.items():
            if before.get(model) is not fault:
                self._suspend(model, fault)
        for model in before.keys() & there - self._faults.keys():
            model.resume()
            logger.warning("%s takes requests again", model)
        counts = Counter((model.name, fault) for model, fault in self._faults.items())
        for name, fault in {(model.name, fault) for model, fault in before.items()} | counts.keys():
            self._metrics.engines_failing(name, fault, counts[name, fault])

    def _suspend(self, model: LoadedModel, fault: Fault) -> None:
        self._metrics.engine_failed(model.name, fault)
        logger.error("%s cannot work: %s; its requests end, new ones are refused", model, fault)
        model.suspend(partial(EngineUnavailable, model.name, fault.value))
