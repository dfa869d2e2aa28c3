"""What the watchdog makes of engines that cannot work, without threads or time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import pytest
from prometheus_client import CollectorRegistry

from ostinato_server.engine.fault import Fault
from ostinato_server.errors import EngineUnavailable
from ostinato_server.metrics import ServerMetrics
from ostinato_server.repository.watchdog import LEAST_LOOP_SECONDS, LONGEST_PAUSE, Watchdog

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
        self.served = self.models
        self.now = 0.0
        self.told: list[set[str]] = []
        self.live = True
        self.registry = CollectorRegistry()
        metrics = ServerMetrics(self.registry)
        self.dog = Watchdog(
            lambda: self.models,  # type: ignore[arg-type, return-value]
            lambda: self.served,  # type: ignore[arg-type, return-value]
            STALL_SECONDS,
            metrics,
            self.tell,
            lambda: self.now,
        )

    async def tell(self, names: Collection[str], live: bool) -> None:
        self.told.append(set(names))
        self.live = live

    def unhealthy(self, fault: Fault) -> float | None:
        return self.registry.get_sample_value("ostinato_engines_unhealthy", {"model": "a", "kind": fault})


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_engines_that_work_are_not_spoken_of(scene: Scene) -> None:
    await scene.dog.look()
    assert scene.dog.faults() == {"a": None, "b": None}
    assert scene.told == []


async def test_a_model_is_suspended_once_and_resumed_once(scene: Scene) -> None:
    first, second, other = scene.models
    first.worker.state = Fault.STALLED
    await scene.dog.look()
    await scene.dog.look()
    assert [scene.dog.works(model) for model in scene.models] == [False, True, True]  # type: ignore[arg-type]
    assert scene.unhealthy(Fault.STALLED) == 1
    second.worker.state = Fault.STALLED
    await scene.dog.look()
    assert scene.unhealthy(Fault.STALLED) == 2
    first.worker.state = second.worker.state = None
    await scene.dog.look()
    await scene.dog.look()
    assert scene.dog.faults() == {"a": None, "b": None}
    assert scene.unhealthy(Fault.STALLED) == 0
    assert scene.told == [{"a"}, set()]
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
    _, gone, _ = scene.models
    gone.worker.state = Fault.ENDED
    await scene.dog.look()
    assert scene.dog.fatal() == f"the engine of {gone} has ended"
    assert not scene.live
    scene.models.remove(gone)
    await scene.dog.look()
    assert scene.dog.fatal() == ""
    assert scene.live
    assert scene.told == [{"a"}, set()]
    assert scene.unhealthy(Fault.ENDED) == 0
    assert len(gone.suspended) == 1


async def test_a_name_is_as_its_newest_served_version_is(scene: Scene) -> None:
    first, second, _ = scene.models
    first.worker.state = Fault.FAULTY
    await scene.dog.look()
    assert scene.dog.faults() == {"a": None, "b": None}
    assert scene.told == []
    first.worker.state, second.worker.state = None, Fault.FAULTY
    await scene.dog.look()
    assert scene.dog.faults() == {"a": Fault.FAULTY, "b": None}
    assert scene.told == [{"a"}]


async def test_a_version_that_works_ends_the_failure_of_the_one_that_it_replaces(scene: Scene) -> None:
    old = scene.models.pop(1)
    scene.models.insert(0, old)
    scene.served = [old, scene.models[2]]
    old.worker.state = Fault.ENDED
    await scene.dog.look()
    assert (scene.told, scene.live) == ([{"a"}], False)
    scene.served = scene.models[1:]  # the old one drains, and still fails
    await scene.dog.look()
    assert (scene.told, scene.live) == ([{"a"}, set()], True)


@pytest.mark.parametrize("fault", [Fault.STALLED, Fault.FAULTY])
async def test_what_may_pass_is_not_fatal_even_if_all_models_fail(scene: Scene, fault: Fault) -> None:
    for model in scene.models:
        model.worker.state = fault
    await scene.dog.look()
    assert scene.dog.fatal() == ""
    assert scene.live


async def test_an_event_loop_that_stands_still_is_fatal(scene: Scene) -> None:
    watching = asyncio.create_task(scene.dog.watch())
    await asyncio.sleep(0)
    scene.now += LEAST_LOOP_SECONDS + LONGEST_PAUSE
    assert scene.dog.fatal() == ""
    scene.now += 1
    assert scene.dog.fatal() == "the event loop has not run for 12 s"
    watching.cancel()
