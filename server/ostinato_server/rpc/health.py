"""``grpc.health.v1`` by model: whoever watches a model's name learns when it comes and goes, and when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from grpc_health.v1 import health, health_pb2

SERVER = ""
"""The name that the protocol has for a server as a whole: SERVING while any model is."""

LIVENESS = "Liveness"
"""A name for liveness probes: NOT_SERVING once only a restart helps. No model can have a name with a capital."""

_MESSAGES: Any = health_pb2  # whose type stubs lack List too


class HealthService(health.aio.HealthServicer):
    """The library's service, and what it leaves out: ``List``."""

    def __init__(self) -> None:
        super().__init__()
        self._services: set[str] = set()

    async def set(self, service: str, status: Any) -> None:
        """Says how a service is from now on."""
        self._services.add(service)
        await super().set(service, status)

    async def List(self, request: Any, context: Any) -> Any:  # noqa: N802 (the contract's name)
        """Tells how every service is."""
        names = sorted(self._services)
        each = {name: await self.Check(health_pb2.HealthCheckRequest(service=name), context) for name in names}
        return _MESSAGES.HealthListResponse(statuses=each)


class ModelHealth:
    """Publishes which models are served and can work, each under its own name; whether any can; whether to restart.

    Args:
        checker: The health service.
    """

    def __init__(self, checker: HealthService) -> None:
        self._checker = checker
        self._served: frozenset[str] = frozenset()
        self._failing: frozenset[str] = frozenset()
        self._live = True
        self._up = False
        self._told: dict[str, bool] = {}
        self._one_at_a_time = asyncio.Lock()

    async def up(self) -> None:
        """The server takes requests from now on."""
        self._up = True
        await self._tell()

    async def served(self, names: Collection[str]) -> None:
        """These models are served from now on, and those told of before are not."""
        self._served = frozenset(names)
        await self._tell()

    async def failing(self, names: Collection[str], live: bool = True) -> None:
        """These models cannot work for now, and no others; ``live`` is whether the process can recover by itself."""
        self._failing = frozenset(names)
        self._live = live
        await self._tell()

    async def _tell(self) -> None:
        """Says what has changed, in the order in which it did."""
        async with self._one_at_a_time:
            await self._tell_changes()

    async def _tell_changes(self) -> None:
        serving = dict.fromkeys(self._told, False) | {name: name not in self._failing for name in self._served}
        if self._up:
            serving |= {SERVER: bool(self._served - self._failing), LIVENESS: self._live}
        changed = [name for name, serves in serving.items() if self._told.get(name) is not serves]
        self._told = serving
        status = health_pb2.HealthCheckResponse
        for name in changed:
            await self._checker.set(name, status.SERVING if serving[name] else status.NOT_SERVING)
