"""What the watchdog makes of engines that cannot work, without threads or time."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest
from prometheus_client import CollectorRegistry

from ostinato_server.engine.fault import Fault
from ostinato_server.errors import EngineUnavailable
from ostinato_server.metrics import ServerMetrics
from ostinato_server.repository.watchdog import Watchdog

STALL_SECONDS = 7.0


class Engine:
    """Fails as it is told."""

    def __init__(self) -> None:
        self.state: Fault | None = None

    def fault(self, stall_seconds: float) -> Fault | None:
        assert stall_seconds == STALL_SECONDS
        return self.state


class Model:
    """As much of a model as is watched."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.worker = Engine()
        self.suspended: list[Exception | None] = []

    def suspend(self, why: Callable[[], Exception]) -> None:
        self.suspended.append(why())

    def resume(self) -> None:
        self.suspended.append(None)


class Scene:
    """Two versions of a model, another one, and who is told of them."""

    def __init__(self) -> None:
        self.models = [Model("a"), Model("a"), Model("b")]
        self.told: list[set[str]] = []
        self.registry = CollectorRegistry()
        metrics = ServerMetrics(self.registry)
        self.dog = Watchdog(lambda: self.models, STALL_SECONDS, metrics, self.tell)  # type: ignore[arg-type, return-value]

    async def tell(self, names: Collection[str]) -> None:
        self.told.append(set(names))

    def unhealthy(self, fault: Fault) -> float | None:
        return self.registry.get_sample_value("ostinato_engines_unhealthy", {"model": "a", "kind": fault})


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_engines_that_work_are_not_spoken_of(scene: Scene) -> None:
    await scene.dog.look()
    assert scene.dog.all_work
    assert scene.told == []


async def test_a_model_is_suspended_once_and_resumed_once(scene: Scene) -> None:
    first, second, other = scene.models
    first.worker.state = Fault.STALLED
    await scene.dog.look()
    await scene.dog.look()
    assert not scene.dog.all_work
    assert [scene.dog.works(model) for model in scene.models] == [False, True, True]  # type: ignore[arg-type]
    assert scene.unhealthy(Fault.STALLED) == 1
    second.worker.state = Fault.STALLED
    await scene.dog.look()
    assert scene.unhealthy(Fault.STALLED) == 2
    first.worker.state = second.worker.state = None
    await scene.dog.look()
    await scene.dog.look()
    assert scene.dog.all_work
    assert scene.unhealthy(Fault.STALLED) == 0
    assert scene.told == [{"a"}, {"a"}, set()]
    for model in (first, second):
        error, resumed = model.suspended
        assert isinstance(error, EngineUnavailable)
        assert (error.model, error.fault) == ("a", "stalled")
        assert resumed is None
    assert other.suspended == []


async def test_a_fault_that_becomes_another_is_told_as_that(scene: Scene) -> None:
    model = scene.models[0]
    for fault in (Fault.STALLED, Fault.FAULTY):
        model.worker.state = fault
        await scene.dog.look()
    assert [str(error.fault) for error in model.suspended if isinstance(error, EngineUnavailable)] == [
        "stalled",
        "faulty",
    ]
    assert (scene.unhealthy(Fault.STALLED), scene.unhealthy(Fault.FAULTY)) == (0, 1)


async def test_a_failing_model_that_is_unloaded_leaves_the_server_healthy(scene: Scene) -> None:
    gone = scene.models.pop(0)
    scene.models.append(gone)
    gone.worker.state = Fault.ENDED
    await scene.dog.look()
    scene.models.remove(gone)
    await scene.dog.look()
    assert scene.dog.all_work
    assert scene.told == [{"a"}, set()]
    assert scene.unhealthy(Fault.ENDED) == 0
    assert len(gone.suspended) == 1
