"""What ``grpc.health.v1`` tells of models that come, fail, recover and go."""

from __future__ import annotations

import pytest
from grpc_health.v1 import health_pb2

from ostinato_server.rpc.health import LIVENESS, ModelHealth

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Checker:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    async def set(self, name: str, status: int) -> None:
        self.told.append((name, status))

    def news(self) -> dict[str, int]:
        told, self.told = self.told, []
        assert len(dict(told)) == len(told)
        return dict(told)


@pytest.fixture
def checker() -> Checker:
    return Checker()


async def test_only_changes_are_told(checker: Checker) -> None:
    health = ModelHealth(checker)  # type: ignore[arg-type]
    await health.served({"a", "b"})
    assert checker.news() == {"a": SERVING, "b": SERVING}
    await health.up()
    assert checker.news() == {"": SERVING, LIVENESS: SERVING}
    await health.failing({"a"})
    assert checker.news() == {"a": NOT_SERVING}
    await health.served({"a", "b", "c"})
    assert checker.news() == {"c": SERVING}
    await health.failing(set())
    assert checker.news() == {"a": SERVING}
    await health.served({"a"})
    assert checker.news() == {"b": NOT_SERVING, "c": NOT_SERVING}


async def test_a_failing_model_that_is_loaded_anew_does_not_serve_before_it_works(checker: Checker) -> None:
    health = ModelHealth(checker)  # type: ignore[arg-type]
    await health.failing({"a"})
    await health.served({"a"})
    assert checker.news() == {"a": NOT_SERVING}


async def test_server_serves_while_any_model_does(checker: Checker) -> None:
    health = ModelHealth(checker)  # type: ignore[arg-type]
    await health.up()
    assert checker.news() == {"": NOT_SERVING, LIVENESS: SERVING}
    await health.served({"a", "b"})
    assert checker.news() == {"": SERVING, "a": SERVING, "b": SERVING}
    await health.failing({"a", "b"})
    assert checker.news() == {"": NOT_SERVING, "a": NOT_SERVING, "b": NOT_SERVING}
    await health.failing({"a"})
    assert checker.news() == {"": SERVING, "b": SERVING}
    await health.served({"a"})
    assert checker.news() == {"": NOT_SERVING, "b": NOT_SERVING}


async def test_liveness_ends_only_where_the_process_cannot_recover(checker: Checker) -> None:
    health = ModelHealth(checker)  # type: ignore[arg-type]
    await health.served({"a", "b"})
    await health.up()
    checker.news()
    await health.failing({"a", "b"}, live=True)
    assert LIVENESS not in checker.news()
    await health.failing({"a"}, live=False)
    assert checker.news() == {"": SERVING, "b": SERVING, LIVENESS: NOT_SERVING}
