"""``grpc.health.v1`` by model: whoever watches a model's name learns when it comes and goes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from grpc_health.v1 import health, health_pb2

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
    """Tells which models are served, each under its own name.

    Args:
        checker: The health service.
    """

    def __init__(self, checker: HealthService) -> None:
        self._checker = checker
        self._told: set[str] = set()

    async def tell(self, names: Collection[str]) -> None:
        """These models are SERVING from now on, and those told of before are not."""
        for name in self._told.difference(names):
            await self._checker.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
        for name in set(names) - self._told:
            await self._checker.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._told = set(names)
