"""``grpc.health.v1`` by model: whoever watches a model's name learns when it comes and goes."""

from __future__ import annotations

from collections.abc import Collection

from grpc_health.v1 import health, health_pb2


class ModelHealth:
    """Tells which models are served, each under its own name.

    Args:
        checker: The health service.
    """

    def __init__(self, checker: health.aio.HealthServicer) -> None:
        self._checker = checker
        self._told: set[str] = set()

    async def tell(self, names: Collection[str]) -> None:
        """These models are SERVING from now on, and those told of before are not."""
        for name in self._told.difference(names):
            await self._checker.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
        for name in set(names) - self._told:
            await self._checker.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._told = set(names)
