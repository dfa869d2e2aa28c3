"""Watches the engines, and keeps requests from those that cannot work."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable
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


class Watchdog:
    """Looks at every engine now and then; used on the event loop.

    The requests of an engine that cannot work end with EngineUnavailable, and new ones are refused with it, until the
    engine works again. An engine that is busy for too long is in a library that cannot be interrupted, so its thread
    is left to come back in its own time.

    Args:
        models: Gives the models whose engines are watched.
        stall_seconds: The longest that a piece of work may take.
        metrics: Told of the engines that cannot work.
        announce: Told the names of the models that cannot, after every change.
    """

    def __init__(
        self,
        models: Callable[[], Iterable[LoadedModel]],
        stall_seconds: float,
        metrics: ServerMetrics,
        announce: Callable[[Collection[str]], Awaitable[None]],
    ) -> None:
        self._models = models
        self._stall_seconds = stall_seconds
        self._metrics = metrics
        self._announce = announce
        self._faults: dict[LoadedModel, Fault] = {}

    def works(self, model: LoadedModel) -> bool:
        """Whether a model could work when it was last looked at."""
        return model not in self._faults

    @property
    def all_work(self) -> bool:
        """Whether all could."""
        return not self._faults

    async def watch(self) -> None:
        """Looks for ever."""
        while True:
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
        if self._faults == before:
            return
        for model, fault in self._faults.items():
            if before.get(model) is not fault:
                self._suspend(model, fault)
        for model in before.keys() & {model for model, _ in found} - self._faults.keys():
            model.resume()
            logger.warning("%s takes requests again", model)
        counts = Counter((model.name, fault) for model, fault in self._faults.items())
        for name, fault in {(model.name, fault) for model, fault in before.items()} | counts.keys():
            self._metrics.engines_failing(name, fault, counts[name, fault])
        await self._announce({model.name for model in self._faults})

    def _suspend(self, model: LoadedModel, fault: Fault) -> None:
        self._metrics.engine_failed(model.name, fault)
        logger.error("%s cannot work: %s; its requests end, new ones are refused", model, fault)
        model.suspend(partial(EngineUnavailable, model.name, fault.value))
